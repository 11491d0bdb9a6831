"""The run: rounds in which the contestants take turns, and what came of them."""

from __future__ import annotations

import contextlib
import gc
import math
import multiprocessing
import os
import shutil
import signal
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

import ringlog
from ringlog.errors import RinglogError
from ringlog.measuring import carriers
from ringlog.measuring.receiver import STAMP, Rings, serve

ROUNDS = 5
SIZES = (64, 1024)
INTERVAL = 0.001  # seconds between the messages of the latency rounds
SPUN = 200_000  # ns before a message is due from which on the sender waits in a loop
CAPACITY = 4 << 20
PROBE = 4096  # messages that tell how many a round takes
PATIENCE = 60.0  # seconds until a receiver that says nothing counts as gone
THROUGHPUT = {
    "ring": "ringlog, append to iteration",
    "batches": "ringlog, append_many to read_many",
    "pipe": "multiprocessing.Pipe",
}
LATENCY = {
    "spinning": "ringlog, the reader spins",
    "woken": "ringlog, the reader is woken",
    "pipe": "multiprocessing.Pipe",
}


@dataclass(frozen=True)
class Throughput:
    """Messages a second, round by round. size: bytes of a message; messages: sent in a round."""

    name: str
    size: int
    messages: int
    rates: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Latency:
    """Seconds from when a message was due until the reader had it: of all rounds, and each round's median."""

    name: str
    samples: int
    p50: float
    p99: float
    medians: list[float]


@dataclass(frozen=True)
class Result:
    throughput: list[Throughput]
    latency: list[Latency]
    seconds: float


def measure(seconds: float = 10.0, told: Callable[[str], None] = lambda what: None) -> Result:
    """Measure for about this long, in rings that are removed at the end. told: gets what comes next.

    Raises OSError (no room for the rings) and RinglogError (the receiver has died, or a message was wrong).
    """
    began = time.monotonic()
    with _place() as folder, contextlib.ExitStack() as stack:
        rings = Rings(*(os.path.join(folder, name) for name in ("stream", "spinning", "woken")))
        for path in (rings.stream, rings.spinning, rings.woken):
            ringlog.create(path, CAPACITY)
            stack.callback(ringlog.unlink, path)
        control, data = stack.enter_context(_receiver(rings))
        writers = [
            stack.enter_context(ringlog.Writer(path, timeout=PATIENCE)) for path in vars(rings).values()
        ]
        gc.collect()
        gc.disable()
        stack.callback(gc.enable)
        throughput = _throughput(control, data, writers[0], seconds / 2, told)
        latency = _latency(control, data, writers[1], writers[2], seconds / 2, told)
        control.send(None)
    return Result(throughput, latency, time.monotonic() - began)


@contextlib.contextmanager
def _place() -> Iterator[str]:
    """A folder in memory, if this machine has one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="ringlog-bench-", dir=memory)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _receiver(rings: Rings) -> Iterator[tuple[Connection, Connection]]:
    """A process of its own, that is ready: what it is told by, and the Pipe that is measured."""
    context = multiprocessing.get_context("spawn")
    control, their_control = context.Pipe()
    data, their_data = context.Pipe()
    process = context.Process(target=serve, args=(their_control, their_data, rings), daemon=True)
    resource_tracker.ensure_running()  # as it starts it unblocks signals: not behind the next line
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for us, who then end it
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    their_control.close()
    their_data.close()
    try:
        _answer(control)
        yield control, data
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()
        control.close()
        data.close()


def _answer(control: Connection) -> Any:
    try:
        if control.poll(PATIENCE):
            return control.recv()
    except EOFError:
        pass
    raise RinglogError("the receiving process has died, or does not answer")


# ---- throughput ----


def _throughput(
    control: Connection, data: Connection, writer: ringlog.Writer, seconds: float, told: Callable[[str], None]
) -> list[Throughput]:
    send = {
        "ring": carriers.send_ring(writer),
        "batches": carriers.send_batches(writer),
        "pipe": carriers.send_pipe(data),
    }

    def once(name: str, count: int, size: int) -> float:
        control.send(("throughput", name, count, size))
        _answer(control)
        start = time.perf_counter_ns()
        send[name](count, size)
        end, wrong = _answer(control)
        if wrong:
            raise RinglogError(f"{THROUGHPUT[name]}: {wrong} of {count} messages were wrong")
        rate: float = count / ((end - start) / 1e9)
        return rate

    contestants = [(name, size) for size in SIZES for name in THROUGHPUT]
    each = seconds / len(contestants) / ROUNDS
    counts = {}
    for name, size in contestants:
        told(f"how many fit into a round: {THROUGHPUT[name]}, {size} bytes")
        rate = once(name, PROBE, size)
        counts[name, size] = max(PROBE, int(rate * each) // carriers.AT_ONCE * carriers.AT_ONCE)
    rates: dict[tuple[str, int], list[float]] = {contestant: [] for contestant in contestants}
    for number in range(ROUNDS):
        told(f"messages a second, round {number + 1} of {ROUNDS}")
        for name, size in contestants:
            rates[name, size].append(once(name, counts[name, size], size))
    return [
        Throughput(THROUGHPUT[name], size, counts[name, size], rates[name, size])
        for name, size in contestants
    ]


# ---- latency ----


def _latency(
    control: Connection,
    data: Connection,
    spinning: ringlog.Writer,
    woken: ringlog.Writer,
    seconds: float,
    told: Callable[[str], None],
) -> list[Latency]:
    send: dict[str, Callable[[bytes], object]]
    send = {"spinning": spinning.append, "woken": woken.append, "pipe": data.send_bytes}
    names = [name for name in LATENCY if name != "spinning" or len(os.sched_getaffinity(0)) > 1]
    count = max(20, int(seconds / len(names) / ROUNDS / INTERVAL))
    found = {name: array("q") for name in names}
    medians: dict[str, list[float]] = {name: [] for name in names}
    for number in range(ROUNDS):
        told(f"latency, round {number + 1} of {ROUNDS}")
        for name in names:
            control.send(("latency", name, count, STAMP.size))
            _answer(control)
            _on_schedule(send[name], count)
            samples = _answer(control)
            found[name].extend(samples)
            medians[name].append(statistics.median(samples) / 1e9)
    return [
        Latency(
            LATENCY[name],
            len(found[name]),
            _quantile(found[name], 0.5),
            _quantile(found[name], 0.99),
            medians[name],
        )
        for name in names
    ]


def _on_schedule(send: Callable[[bytes], object], count: int) -> None:
    """Send a message a millisecond, each saying when it was due. A late one counts as late."""
    clock, pack = time.perf_counter_ns, STAMP.pack
    alone = len(os.sched_getaffinity(0)) < 2  # then a loop here would keep the reader from its core
    start = clock()
    for number in range(1, count + 1):
        due = start + int(number * INTERVAL * 1e9)
        left = due - clock()
        if left > SPUN or alone:
            time.sleep(max(0, left - (0 if alone else SPUN)) / 1e9)
        while not alone and clock() < due:
            pass
        send(pack(due))


def _quantile(samples: array[int], part: float) -> float:
    """Seconds; the smallest sample that at least this part of them does not exceed."""
    ordered = sorted(samples)
    return ordered[math.ceil(part * len(ordered)) - 1] / 1e9
