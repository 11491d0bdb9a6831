"""How many small events a second reach one other process, from a Python loop to a Python loop?

One process sends messages of 64 bytes, one after the other; another receives each as an object of its own,
counts it and checks its content. All are lossless: a ring with a lossless reader, multiprocessing's Queue
and its Pipe (by send_bytes, which saves it the pickling). Measured from the first send to the last check;
processes are started and attached before. The contestants take turns.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ringlog
from bench import method
from bench.processes import CONTEXT, exchange, report

KINDS = 256  # distinct messages, so that a stale or a swapped one shows


def payloads(size: int) -> list[bytes]:
    return [bytes([k]) * size for k in range(KINDS)]


def complete(done: Any, received: int, events: int, wrong: int) -> None:
    """Send the time of the last check, or fail."""
    if received != events or wrong:
        raise SystemExit(f"{received} of {events} received, {wrong} wrong")
    report(done)


def receive(source: Any, method_name: str, events: int, size: int, done: Any) -> None:
    """Receive from a Queue (get) or a Connection (recv_bytes)."""
    expected = payloads(size)
    take = getattr(source, method_name)
    done.send("ready")
    wrong = 0
    for number in range(events):
        if take() != expected[number & 255]:
            wrong += 1
    complete(done, events, events, wrong)


def receive_ring(path: str, events: int, size: int, done: Any) -> None:
    expected = payloads(size)
    wrong = 0
    with ringlog.Reader(path, lossless=True) as reader:
        done.send("ready")
        for event in reader:
            if event.data != expected[event.sequence & 255]:
                wrong += 1
        complete(done, reader.sequence, events, wrong)


def receive_ring_lists(path: str, events: int, size: int, done: Any) -> None:
    expected = payloads(size)
    wrong = 0
    with ringlog.Reader(path, lossless=True) as reader:
        done.send("ready")
        try:
            while True:
                for event in reader.read_many(1024, None):
                    if event.data != expected[event.sequence & 255]:
                        wrong += 1
        except ringlog.StreamEnded:
            complete(done, reader.sequence, events, wrong)


def timed(
    target: Callable[..., None], arguments: tuple[Any, ...], send: Callable[[], None], events: int
) -> float:
    """Events a second."""
    seconds, _ = exchange(target, arguments, send)
    return events / seconds


def run_ring(folder: Path, events: int, size: int, batch: int) -> float:
    path = folder / "ring"
    messages = payloads(size)

    def send() -> None:
        append = writer.append
        for number in range(events):
            append(messages[number & 255])
        writer.end()

    def send_batches() -> None:
        for _ in range(events // batch):
            writer.append_many(messages * (batch // KINDS))
        writer.end()

    try:
        with ringlog.Writer(path, capacity=16 << 20) as writer:
            if batch:
                return timed(receive_ring_lists, (str(path), events, size), send_batches, events)
            return timed(receive_ring, (str(path), events, size), send, events)
    finally:
        ringlog.unlink(path)


def run_queue(events: int, size: int) -> float:
    queue = CONTEXT.Queue()
    messages = payloads(size)

    def send() -> None:
        for number in range(events):
            queue.put(messages[number & 255])

    return timed(receive, (queue, "get", events, size), send, events)


def run_pipe(events: int, size: int) -> float:
    sink, source = CONTEXT.Pipe(duplex=False)[::-1]
    messages = payloads(size)

    def send() -> None:
        for number in range(events):
            sink.send_bytes(messages[number & 255])

    with sink, source:
        return timed(receive, (source, "recv_bytes", events, size), send, events)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench one_to_one", description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="bytes a message (64)")
    parser.add_argument("--events", type=int, default=1 << 20, help="messages through a ring (1,048,576)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="two short rounds, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    events, rounds = (65536, 2) if given.quick else (given.events // 1024 * 1024, given.rounds)
    fewer = events // 8  # the others are slower: they get fewer, so that a round stays short
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        contestants = {
            "ringlog, append to iteration": partial(run_ring, Path(folder), events, given.size, 0),
            "ringlog, append_many to read_many": partial(run_ring, Path(folder), events, given.size, 1024),
            "multiprocessing.Pipe": partial(run_pipe, fewer, given.size),
            "multiprocessing.Queue": partial(run_queue, fewer, given.size),
        }
        samples = method.interleave(contestants, rounds)
    spreads = {name: method.Spread.of(values) for name, values in samples.items()}
    base = spreads["multiprocessing.Queue"].median
    print(f"{given.size} bytes, one sender, one receiver, {rounds} rounds\n")
    rows = [
        [name, f"{s.median:,.0f}", f"{s.low:,.0f} to {s.high:,.0f}", f"{s.median / base:.1f}"]
        for name, s in spreads.items()
    ]
    print(method.table(["Method", "events/s", "quartiles", "vs Queue"], rows))
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"size": given.size, "events": events, "rounds": rounds},
        "events_per_second": {name: s.record() for name, s in spreads.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('one_to_one', record, given.json)}")
    return 0
