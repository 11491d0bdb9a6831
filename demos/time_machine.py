"""A live ring recorded while it runs; then yesterday replayed into today's readers, ten times as fast.
A reader that comes late reads the past from the log and the present from the ring, as one stream."""

import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import ringlog
from ringlog.log.replaying import replay

DAY, RATE, READERS = 1.5, 4000, 2  # seconds; prices a second; today's readers


def price(number: int) -> bytes:
    return b"%08d %d" % (number, 10_000 + number * 7919 % 977)


def yesterday(ring: str) -> int:
    count, start = 0, time.monotonic()
    with ringlog.Writer(ring) as writer:
        while (now := time.monotonic() - start) < DAY:
            while count < now * RATE:
                writer.append(price(count))
                count += 1
            time.sleep(0.002)
        writer.end()
    return count


def check(events: ringlog.Reader | ringlog.log.Following) -> tuple[int, int]:
    """How many prices came, and how many of them were not the next one."""
    count = wrong = 0
    with events:
        for event in events:
            wrong += event.data != price(count)
            count += 1
    return count, wrong


def today(ring: str, log: str | None = None) -> tuple[int, int]:
    return check(ringlog.follow(log, ring) if log else ringlog.Reader(ring, lossless=True, start="oldest"))


def main(live: str, again: str, log: str, pool: ProcessPoolExecutor) -> bool:
    recorder = threading.Thread(target=ringlog.record, args=(live, log), kwargs={"segment_bytes": 50_000})
    recorder.start()
    writing = pool.submit(yesterday, live)
    time.sleep(DAY / 2)
    reading = pool.submit(today, live, log)  # comes late
    total = writing.result()
    recorder.join()
    print(f"yesterday: {total:,} prices, recorded into {len(list(Path(log).glob('*.events')))} files")
    seen = [reading.result()]
    print(f"  who came in the middle of the day read {seen[0][0]:,} from its beginning")
    readers = [pool.submit(today, again) for _ in range(READERS)]
    while len(ringlog.info(again).readers) < READERS and not any(reader.done() for reader in readers):
        time.sleep(0.01)
    with ringlog.Writer(again) as writer:
        replay(log, writer, speed=10)
        writer.end()
    seen += [reader.result() for reader in readers]
    print(f"today: replayed to {READERS} readers, ten times as fast")
    return seen == [(total, 0)] * (1 + READERS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(4, get_context("spawn")) as workers:
        first, second = f"{folder}/live.ring", f"{folder}/again.ring"
        for path in (first, second):  # less than a second of prices; the rest is in the log alone
            ringlog.create(path, capacity=65536)
        try:
            sys.exit(0 if main(first, second, f"{folder}/log", workers) else 1)
        finally:
            ringlog.unlink(first)
            ringlog.unlink(second)
