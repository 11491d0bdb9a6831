"""Ten readers in one asyncio loop, asleep until another process publishes; a ticker shows that it lives.

First nothing comes, then an event now and then, then many: each reader's SHA-256 must be the writer's.
"""

import asyncio
import hashlib
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import ringlog

spawn = get_context("spawn")
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
    late, pauses = list[float](), list[float]()
    reading = [asyncio.create_task(read(ring, late)) for _ in range(READERS)]
    run = partial(asyncio.get_running_loop().run_in_executor, pool)
    await run(ringlog.info, ring)  # the other process is there
    cpu = time.process_time()
    await asyncio.sleep(1)
    used = 100 * (time.process_time() - cpu)
    print(f"nothing comes: {READERS} readers use {used:.2f} % of a core", flush=True)
    ticking = asyncio.create_task(tick(pauses))
    expected = await run(write, ring)
    digests = await asyncio.gather(*reading)
    ticking.cancel()
    parts = statistics.quantiles(late, n=100)
    print(f"an event now and then: heard after p50 {parts[49]:.0f} us, p99 {parts[98]:.0f} us")
    print(f"a ticker of 5 ms ticked {len(pauses)} times, at the latest after {max(pauses):.1f} ms")
    for digest in digests:
        print(f"reader {digest} {'the same' if digest == expected else 'DIFFERENT'}")
    print(f"writer {expected}\n{PACED + BURST:,} events to {READERS} readers in one loop")
    return digests == [expected] * READERS


if __name__ == "__main__":
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(1, spawn) as workers:
        ringlog.create(path := f"{folder}/events.ring")
        try:
            sys.exit(0 if asyncio.run(main(path, workers)) else 1)
        finally:
            ringlog.unlink(path)
