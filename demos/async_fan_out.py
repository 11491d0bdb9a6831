"""Ten readers in one asyncio loop, asleep until another process publishes; a ticker shows that the loop lives.

First nothing comes, and the process's CPU time is taken. Then events come now and then, and how late each
reader hears of them is taken. Then many come at once: each reader's SHA-256 must be the writer's.
"""

import asyncio
import hashlib
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import ringlog

READERS, PACED, BURST = 10, 300, 20_000


def write(ring: str) -> str:
    """Publish events now and then, and then many at once; their SHA-256."""
    digest, dice = hashlib.sha256(), random.Random(1)
    with ringlog.Writer(ring) as writer:
        for number in range(PACED + BURST):
            if number < PACED:
                time.sleep(dice.uniform(0.001, 0.003))  # time enough for all of them to fall asleep again
            writer.append(data := b"%d %d" % (number, dice.getrandbits(256)))
            digest.update(data)
        writer.end()
    return digest.hexdigest()


async def read(ring: str, late: list[float]) -> str:
    digest = hashlib.sha256()
    with ringlog.Reader(ring, lossless=True) as reader:
        async for event in reader:
            if event.sequence < PACED:
                late.append((time.time_ns() - event.timestamp) / 1e3)
            digest.update(event.data)
    return digest.hexdigest()


async def tick(pauses: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        pauses.append((time.perf_counter() - before) * 1e3)


async def main(ring: str, pool: ProcessPoolExecutor) -> bool:
    late: list[float] = []
    pauses: list[float] = []
    reading = [asyncio.create_task(read(ring, late)) for _ in range(READERS)]
    await asyncio.get_running_loop().run_in_executor(pool, ringlog.info, ring)  # the other process is there
    cpu, clock = time.process_time(), time.perf_counter()
    await asyncio.sleep(1)
    idle = 100 * (time.process_time() - cpu) / (time.perf_counter() - clock)
    print(f"nothing published: {READERS} readers use {idle:.2f} % of a core", flush=True)
    ticking = asyncio.create_task(tick(pauses))
    expected = await asyncio.get_running_loop().run_in_executor(pool, write, ring)
    digests = await asyncio.gather(*reading)
    ticking.cancel()
    parts = statistics.quantiles(late, n=100)
    print(f"an event now and then: heard after p50 {parts[49]:.0f} us, p99 {parts[98]:.0f} us")
    print(f"a ticker of 5 ms ticked {len(pauses)} times, at the latest after {max(pauses):.1f} ms")
    for digest in digests:
        print(f"reader {digest} {'the same' if digest == expected else 'DIFFERENT'}")
    print(f"writer {expected}\n{PACED + BURST:,} events to {READERS} readers in one loop")
    return digests == [expected] * READERS and len(late) == PACED * READERS


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as workers,
    ):
        ringlog.create(path := f"{folder}/events.ring")
        try:
            sys.exit(0 if asyncio.run(main(path, workers)) else 1)
        finally:
            ringlog.unlink(path)
