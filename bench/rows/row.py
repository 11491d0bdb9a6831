"""What a row of the table is, and the one loop that times every Python row."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.rows.cold import cool
from bench.rows.stream import ENTRY, HEADER

Item = TypeVar("Item")
STEADY_PASSES = 10  # the programs in zig/ and go/ have the same number


class Unavailable(Exception):
    """A row can't run here; the message says why."""


class NotInstalled(Unavailable):
    """A row needs another language than this machine has: no fault of anybody's."""


@dataclass(frozen=True)
class Job:
    """What every row has to write, and where."""

    directory: Path
    sources: list[bytes]  # distinct contents of one size, which the messages go through in turn
    messages: list[bytes]
    caches: str  # "steady", "touched" or "cold": what is in them when the clock starts

    @classmethod
    def make(cls, directory: Path, count: int, size: int, distinct: int, *, caches: str) -> Job:
        dice = random.Random("ringlog")
        sources = [dice.randbytes(size) for _ in range(distinct)]
        return cls(directory, sources, [sources[i % distinct] for i in range(count)], caches)

    @property
    def passes(self) -> int:
        """How often a mapped row writes its messages into one file; the last time counts."""
        return STEADY_PASSES if self.caches == "steady" else 1

    @property
    def stream_size(self) -> int:
        """The size of a file that holds the whole stream."""
        return HEADER.size + sum(ENTRY.size + len(data) for data in self.messages)


@dataclass(frozen=True)
class Row:
    """One method of the table; `measure` returns the nanoseconds of a timed pass, after a discarded one."""

    name: str
    how: str
    measure: Callable[[Job], int]
    prepare: Callable[[], object] = lambda: None  # compiles or imports what it needs, or raises Unavailable


def warmed(one_pass: Callable[[Job], int]) -> Callable[[Job], int]:
    """A measurement of a row that runs in this process: a pass to warm up, then the one that counts."""

    def measure(job: Job) -> int:
        one_pass(job)
        return one_pass(job)

    return measure


def timed(
    job: Job,
    call: Callable[[Item], object],
    items: Iterable[Item],
    finish: Callable[[], object] = lambda: None,
) -> int:
    """Nanoseconds to call `call` with each item and then `finish`, without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        if job.caches == "cold":
            cool()
        start = time.perf_counter_ns()
        for item in items:
            call(item)
        finish()
        return time.perf_counter_ns() - start
    finally:
        gc.enable()
