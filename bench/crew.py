"""How many events a second go through a ring of a given shape, and what does that cost its producer?

One `Shape` is one run: a producer and up to so many readers, which are processes that wait from run to run,
so that a run costs its own time only. Measured from the first append to the moment when the last reader has
taken its last event. A reader takes each event as an object and counts; that what came and what was lost make
up what was sent is checked, and the content by the checksums, where they are verified.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ringlog
from bench.race import process

PATIENCE = 60.0
KINDS = 16  # distinct contents; fewer of the large ones, so that they fit into a cache as the small ones do


@dataclass(frozen=True)
class Shape:
    """What one run hangs on."""

    size: int = 64
    capacity: int = 16 << 20
    readers: int = 1
    lossless: bool = True
    verify: bool = True
    view: bool = False  # readers look at the event where it is; otherwise they copy it
    huge: bool = False  # in a file system that gives huge pages

    @property
    def count(self) -> int:
        """Events enough for a tenth of a second or so, and for more than one lap of the ring."""
        enough = int(1e8 / (100 + self.size / 4))
        lap = self.capacity // (self.size + 16)
        return max(24, enough, lap * 5 // 4)


@dataclass(frozen=True)
class Run:
    """One run. Rates are per reader, of the producer where there is none; times are ns an event sent."""

    rate: float
    lost: float  # the part of what was sent that a reader lost, the mean
    producer: float  # by the clock, from the first append to the last
    producer_cpu: float
    reader_cpu: float  # the mean
    huge: float  # the part of the producer's view of the ring that lies in huge pages


def contents(size: int) -> list[bytes]:
    kinds = KINDS if size <= 64 << 10 else 2
    return [bytes([65 + k]) * size for k in range(kinds)]


class Crew:
    """A producer and readers that run shape after shape."""

    def __init__(self, producer: Connection, readers: list[Connection], folders: dict[bool, Path]) -> None:
        self.producer = producer
        self.readers = readers
        self.folders = folders  # where rings are made: without and with huge pages

    def run(self, shape: Shape) -> Run:
        path = self.folders[shape.huge] / "ring"
        ringlog.create(path, shape.capacity)
        try:
            self.producer.send((shape, path))
            told(self.producer)
            busy = self.readers[: shape.readers]
            for reader in busy:
                reader.send((shape, path))
            for reader in busy:
                told(reader)
            self.producer.send("go")
            start, sent, cpu, huge = told(self.producer)
            seen = [told(reader) for reader in busy]
        finally:
            ringlog.unlink(path)
        count = shape.count
        for got, lost, _, _ in seen:
            if got + lost != count or (lost and shape.lossless):
                raise SystemExit(f"{shape}: of {count} events {got} came and {lost} were lost")
        end = max([done for _, _, done, _ in seen], default=sent)
        return Run(
            rate=statistics.fmean([got for got, *_ in seen] or [count]) / ((end - start) / 1e9),
            lost=statistics.fmean([lost for _, lost, _, _ in seen] or [0]) / count,
            producer=(sent - start) / count,
            producer_cpu=cpu / count,
            reader_cpu=statistics.fmean([spent for *_, spent in seen] or [0]) / count,
            huge=min(1.0, huge / (2 * shape.capacity)),  # mapped twice; a header may lie in one, too
        )


@contextlib.contextmanager
def crew(readers: int, folders: dict[bool, Path]) -> Iterator[Crew]:
    with contextlib.ExitStack() as stack:
        producer = stack.enter_context(process(produce))
        ends = [stack.enter_context(process(take)) for _ in range(readers)]
        yield Crew(producer, ends, folders)
        for end in (producer, *ends):
            end.send(None)


def told(connection: Connection) -> Any:
    if not connection.poll(PATIENCE):
        raise TimeoutError(f"a process said nothing for {PATIENCE:.0f} s")
    return connection.recv()


# ---- in the processes of the crew ----


def produce(control: Connection) -> None:
    while (order := control.recv()) is not None:
        shape, path = order
        messages = itertools.islice(itertools.cycle(contents(shape.size)), shape.count)
        with ringlog.Writer(path, timeout=PATIENCE) as writer:
            control.send("ready")
            control.recv()
            append = writer.append
            cpu, start = time.process_time_ns(), time.perf_counter_ns()
            for message in messages:
                append(message)
            end, cpu = time.perf_counter_ns(), time.process_time_ns() - cpu
            writer.end()
            control.send((start, end, cpu, in_huge_pages(path) if shape.huge else 0))


def take(control: Connection) -> None:
    while (order := control.recv()) is not None:
        shape, path = order
        overrun: Any = "raise" if shape.lossless else "skip"
        with ringlog.Reader(path, lossless=shape.lossless, verify=shape.verify, on_overrun=overrun) as reader:
            control.send("ready")
            control.send(look(reader) if shape.view else copy(reader))


def copy(reader: ringlog.Reader) -> tuple[int, int, int, int]:
    got, cpu = min(1, len(reader.read_many(1, PATIENCE))), time.process_time_ns()
    for _ in reader:
        got += 1
    return got, reader.lost, time.perf_counter_ns(), time.process_time_ns() - cpu


def look(reader: ringlog.Reader) -> tuple[int, int, int, int]:
    got, cpu = 0, time.process_time_ns()
    with contextlib.suppress(ringlog.StreamEnded):
        while view := reader.view(timeout=PATIENCE):
            with view as event:
                got += bool(event)
    return got, reader.lost, time.perf_counter_ns(), time.process_time_ns() - cpu


def in_huge_pages(path: Path) -> int:
    """Bytes of a file that this process has mapped by huge pages."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            ours = rest[-1:] == [str(path)]
        elif ours and word == "ShmemPmdMapped:":
            found += int(rest[0]) << 10
    return found
