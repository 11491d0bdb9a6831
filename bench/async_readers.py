"""What do ten readers in one asyncio loop cost while nothing comes, and how soon do they run when it does?

Ten coroutines of one process wait for the same events, which another process publishes at odd times. Idle is
the processor time of the whole process, in per cent of a core, over a few seconds in which nothing comes.
A wake-up is from the clock read just before publishing (CLOCK_MONOTONIC, carried in the event) to the line of
the coroutine that has the event. ringlog by `async for`; ringlog with a thread for each reader that hands its
events to a queue of the loop; and a multiprocessing.Pipe for each reader, watched by the loop, where the
publisher sends to one after the other. Contestants take turns, each sample in processes of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import ringlog
from bench import method
from bench.processes import CONTEXT, receiving, report

READERS = 10
STAMP = struct.Struct("<q")
SETTLE = 0.2  # seconds after the readers are ready, before the idle time is measured

Events = AsyncIterator[bytes]
Figures = dict[str, float]


# ---- the ways to wait ----


async def by_reader(path: str) -> Events:
    with ringlog.Reader(path) as reader:
        async for event in reader:
            yield event.data


async def by_thread(path: str) -> Events:
    """A thread with a reader, and a queue that it fills; None is the end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()

    def read() -> None:
        with ringlog.Reader(path) as reader:
            for event in reader:
                loop.call_soon_threadsafe(queue.put_nowait, event.data)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    thread = threading.Thread(target=read)
    thread.start()
    while (data := await queue.get()) is not None:
        yield data
    thread.join()


async def by_pipe(connection: Any) -> Events:
    """A connection that the loop watches; an empty message is the end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes]()
    loop.add_reader(connection.fileno(), lambda: queue.put_nowait(connection.recv_bytes()))
    while data := await queue.get():
        yield data
    loop.remove_reader(connection.fileno())


# ---- the process with the readers ----


def wait_for_events(ways: list[Callable[[], Events]], events: int, idle: float, done: Any) -> None:
    asyncio.run(ten(ways, events, idle, done))


async def ten(ways: list[Callable[[], Events]], events: int, idle: float, done: Any) -> None:
    """Tells "ready", per cent idle, and at the end every reader's wake-ups in microseconds."""
    tasks = [asyncio.create_task(follow(way())) for way in ways]
    await asyncio.sleep(SETTLE)
    done.send("ready")
    await asyncio.sleep(SETTLE)
    cpu, clock = time.process_time(), time.perf_counter()
    await asyncio.sleep(idle)
    spent = (time.process_time() - cpu) / (time.perf_counter() - clock)
    done.send(100 * spent)
    took = await asyncio.gather(*tasks)
    if any(len(each) != events for each in took):
        raise SystemExit(f"of {events} events arrived {[len(each) for each in took]}")
    report(done, took)


async def follow(source: Events) -> list[float]:
    took = []
    async for data in source:
        took.append((time.perf_counter_ns() - STAMP.unpack(data)[0]) / 1e3)
    return took


# ---- the process that publishes ----


def publish(send: Callable[[bytes], object], events: int) -> None:
    dice = random.Random(1)
    for _ in range(events):
        time.sleep(dice.uniform(0.001, 0.003))  # long enough for all of them to be asleep again
        send(STAMP.pack(time.perf_counter_ns()))


def figures(told: Any, send: Callable[[bytes], object], end: Callable[[], object], events: int) -> Figures:
    idle: float = told.recv()
    publish(send, events)
    end()
    _, took = told.recv()
    every = statistics.quantiles([us for each in took for us in each], n=100)
    last = statistics.median(max(together) for together in zip(*took, strict=True))
    return {"idle": idle, "p50": every[49], "p99": every[98], "last": last}


def over_ring(folder: Path, way: Callable[[str], Events], events: int, idle: float) -> Figures:
    path = folder / "ring"
    try:
        with ringlog.Writer(path, capacity=1 << 20) as writer:
            ways = [partial(way, str(path))] * READERS
            with receiving(wait_for_events, (ways, events, idle)) as told:
                return figures(told, writer.append, writer.end, events)
    finally:
        ringlog.unlink(path)


def over_pipes(events: int, idle: float) -> Figures:
    pipes = [CONTEXT.Pipe(duplex=False) for _ in range(READERS)]

    def send(data: bytes) -> None:
        for _, sink in pipes:
            sink.send_bytes(data)

    with ExitStack() as held:
        for source, sink in pipes:
            held.enter_context(source)
            held.enter_context(sink)
        ways = [partial(by_pipe, source) for source, _ in pipes]
        with receiving(wait_for_events, (ways, events, idle)) as told:
            return figures(told, send, lambda: send(b""), events)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench async_readers", description=__doc__)
    parser.add_argument("--events", type=int, default=1000, help="events, one every 2 ms or so (1000)")
    parser.add_argument("--idle", type=float, default=3.0, help="seconds without events (3)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    events, idle, rounds = (50, 0.3, 1) if given.quick else (given.events, given.idle, given.rounds)
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        contestants = {
            "ringlog, async for": partial(over_ring, Path(folder), by_reader, events, idle),
            "ringlog, a thread and a queue each": partial(over_ring, Path(folder), by_thread, events, idle),
            "multiprocessing.Pipe each": partial(over_pipes, events, idle),
        }
        samples = method.interleave(contestants, rounds)
    spreads = {
        name: {what: method.Spread.of([sample[what] for sample in taken]) for what in taken[0]}
        for name, taken in samples.items()
    }
    print(f"{READERS} readers, {events} events, {idle:g} s idle, {rounds} rounds\n")
    head = ["Method", "idle, % of a core", "quartiles", "wake-up p50, us", "p99", "until the last, p50"]
    rows = [
        [name, f"{s['idle'].median:.2f}", f"{s['idle'].low:.2f} to {s['idle'].high:.2f}"]
        + [f"{s[what].median:,.0f}" for what in ("p50", "p99", "last")]
        for name, s in spreads.items()
    ]
    print(method.table(head, rows))
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"readers": READERS, "events": events, "idle_seconds": idle, "rounds": rounds},
        "figures": {name: {what: s.record() for what, s in each.items()} for name, each in spreads.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('async_readers', record, given.json)}")
    return 0
