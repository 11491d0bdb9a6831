"""Ten readers in one asyncio loop, with a ticker: nothing comes, then an event now and then, then many.

Each reader's SHA-256 must be that of the other process, which publishes.
"""

import asyncio
import hashlib
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import ringlog

spawn, READERS, PACED, BURST = get_context("spawn"), 10, 300, 20_000


def write(ring: str) -> str:
    """Publish events now and then, and then many at once; their SHA-256."""
    digest = hashlib.sha256()
    with ringlog.Writer(ring) as writer:
        for number in range(PACED + BURST):
            if number < PACED:
                time.sleep(0.002)  # time enough for all of them to fall asleep again
            writer.append(data := b"event %d" % number)
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
    print(f"nothing comes: {100 * (time.process_time() - cpu):.2f} % of a core in a second", flush=True)
    ticking = asyncio.create_task(tick(pauses))
    expected = await run(write, ring)
    digests = await asyncio.gather(*reading)
    ticking.cancel()
    p50, p99 = (sorted(late)[len(late) * part // 100] for part in (50, 99))
    print(f"an event now and then: heard of after p50 {p50:.0f} us, p99 {p99:.0f} us")
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
