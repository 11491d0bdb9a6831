"""How long does a frame of 6 MB take from one process's array to another's eyes, and how many a second go?

The sender has its frame in a numpy array. The clock starts before it claims, copies, appends or puts it, and
stops when the receiver has added up one byte of every page. First one frame at a time: the next one is sent
when the receiver has told when it saw the last. Then as fast as they go, with four frames or so on the way.
Every frame must be the one that was sent. ringlog also checksums each frame when it is published (append does
so while it copies, a claim when its block ends), and again when it is read, unless the row says "verify off";
nobody else does. Memory that is used again (rings, segments) is touched beforehand, and each contestant's
first frames don't count. Contestants take turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import method
from bench.carriers import PAGE, Carrier, Frame, Pickled, Ring, Segments
from bench.processes import receiving, report

SIZE = 1920 * 1080 * 3
KINDS = 3  # distinct frames: no divisor of what the carriers hold, so that a stale one shows
WARM = 5  # frames that don't count: once around every carrier

Figures = dict[str, float]  # "us", the median of one at a time, and "frames" a second


def kinds(size: int) -> list[Frame]:
    return [np.full(size, 50 + k, np.uint8) for k in range(KINDS)]


def expected(size: int, number: int) -> int:
    return (50 + number % KINDS) * len(range(0, size, PAGE))


def watch(carrier: Carrier, size: int, singles: int, stream: int, done: Any) -> None:
    """Receive the frames, tell the time after each single one, and when the last of the stream was seen."""
    with carrier.receiving() as receive:
        done.send("ready")
        for number in range(WARM + singles):
            seen = receive()
            done.send((time.perf_counter_ns(), seen == expected(size, number)))
        wrong = sum(receive() != expected(size, number) for number in range(stream))
        report(done, wrong)


def measure(make: Callable[[], Carrier], size: int, singles: int, stream: int) -> Figures:
    frames, took = kinds(size), []
    carrier = make()
    try:
        with carrier.sending() as send, receiving(watch, (carrier, size, singles, stream)) as told:
            for number in range(WARM + singles):
                frame = frames[number % KINDS]
                start = time.perf_counter_ns()
                send(frame)
                seen, right = told.recv()
                if not right:
                    raise SystemExit(f"frame {number} arrived wrong")
                took.append(seen - start)
            start = time.perf_counter_ns()
            for number in range(stream):
                send(frames[number % KINDS])
            end, wrong = told.recv()
    finally:
        carrier.close()
    if wrong:
        raise SystemExit(f"{wrong} frames arrived wrong")
    return {"us": statistics.median(took[WARM:]) / 1e3, "frames": stream / ((end - start) / 1e9)}


def contestants(folder: Path, size: int) -> dict[str, Callable[[], Carrier]]:
    rings = {
        f"ringlog, {'claim' if claim else 'append'} and {'view' if view else 'read'}"
        f"{'' if verify else ', verify off'}": partial(Ring, folder / "ring", size, claim, view, verify)
        for claim, view in ((True, True), (False, True), (False, False))
        for verify in (False, True)
    }
    return {
        **rings,
        "shared_memory, numbers by Pipe": partial(Segments, size, queues=False),
        "shared_memory, numbers by Queue": partial(Segments, size, queues=True),
        "multiprocessing.Pipe, pickled": partial(Pickled, queue=False),
        "multiprocessing.Queue, pickled": partial(Pickled, queue=True),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench frames", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help=f"bytes a frame ({SIZE:,}: 1920 x 1080 x 3)")
    parser.add_argument("--frames", type=int, default=200, help="one at a time, and again in a row (200)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    frames, rounds = (10, 1) if given.quick else (given.frames, given.rounds)
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        runs = {
            name: partial(measure, make, given.size, frames, frames)
            for name, make in contestants(Path(folder), given.size).items()
        }
        samples = method.interleave(runs, rounds)
    single = {name: method.Spread.of([s["us"] for s in taken]) for name, taken in samples.items()}
    stream = {name: method.Spread.of([s["frames"] for s in taken]) for name, taken in samples.items()}
    print(f"frames of {given.size:,} bytes, {frames} one at a time and {frames} in a row, {rounds} rounds\n")
    rows = [
        [
            name,
            f"{one.median:,.0f}",
            f"{one.low:,.0f} to {one.high:,.0f}",
            f"{rate.median:,.0f}",
            f"{rate.low:,.0f} to {rate.high:,.0f}",
            f"{rate.median * given.size / 1e6:,.0f}",
        ]
        for (name, one), rate in zip(single.items(), stream.values(), strict=True)
    ]
    head = ["Method", "us, one at a time", "quartiles", "frames/s", "quartiles", "MB/s"]
    print(method.table(head, rows))
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"size": given.size, "frames": frames, "rounds": rounds},
        "microseconds_one_at_a_time": {name: s.record() for name, s in single.items()},
        "frames_per_second": {name: s.record() for name, s in stream.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('frames', record, given.json)}")
    return 0
