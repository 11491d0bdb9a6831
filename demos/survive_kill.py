"""A writer killed with SIGKILL again and again: its readers see every published event, and each one once.

The next writer goes on where the ring stands. An event says which one it is, and which writer wrote it.
"""

import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from statistics import median

import ringlog

KILLS, READERS = 25, 2
spawn = get_context("spawn")


def write(ring: str, life: int, turn: Event, ready: Barrier) -> None:
    ready.wait()
    turn.wait()
    with ringlog.Writer(ring) as writer:
        number = ringlog.info(ring).event_count
        while True:
            writer.append(b"%d %d" % (number, life))
            number += 1


def read(ring: str) -> tuple[int, int, list[float]]:
    """How many events came, how many of them were not the next one, and the pauses from life to life."""
    count, faults, latest, before, pauses = 0, 0, 0, 0, []
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        for event in reader:
            number, life = map(int, event.data.split())
            faults += not (event.sequence == number == count and life >= latest)
            if count and life > latest:
                pauses.append((event.timestamp - before) / 1e6)
            count, latest, before = count + 1, life, event.timestamp
    return count, faults, pauses


def main(ring: str, pool: ProcessPoolExecutor) -> bool:
    reading = [pool.submit(read, ring) for _ in range(READERS)]
    ready, turns = spawn.Barrier(KILLS + 1), [spawn.Event() for _ in range(KILLS)]
    lives = [spawn.Process(target=write, args=(ring, *who, ready), daemon=True) for who in enumerate(turns)]
    for life in lives:
        life.start()
    ready.wait(timeout=60)  # all are there, so that a pause is not the time that Python takes to start
    while len(ringlog.info(ring).readers) < READERS and not any(future.done() for future in reading):
        time.sleep(0.01)
    for life, turn in zip(lives, turns, strict=True):
        turn.set()
        time.sleep(random.uniform(0, 0.1))
        life.kill()
        life.join()
    with ringlog.Writer(ring) as writer:
        total = writer.append(b"%d %d" % (ringlog.info(ring).event_count, KILLS)) + 1
        writer.end()
    right = all(life.exitcode == -signal.SIGKILL for life in lives)
    for count, faults, pauses in (future.result() for future in reading):
        print(f"{KILLS} kills: a reader got {count:,} of {total:,} events, {faults} of them not the next one")
        print(f"  pauses from writer to writer: median {median(pauses):.1f} ms, longest {max(pauses):.1f} ms")
        right = right and (count, faults) == (total, 0)
    return right


if __name__ == "__main__":
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(READERS, spawn) as workers:
        ringlog.create(path := f"{folder}/events.ring", capacity=1 << 20)
        try:
            sys.exit(0 if main(path, workers) else 1)
        finally:
            ringlog.unlink(path)  # a reader that is still there is told so
