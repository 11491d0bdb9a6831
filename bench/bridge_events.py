"""What is sent over a bridge, and the check of what came: every event is counted and compared whole.

An event begins with eight bytes: which one of a cycle it is, or a time. One of 0 is a greeting, one of -1 the
goodbye, which says how many went before it.
"""

from __future__ import annotations

import struct
import time
from array import array
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bench.stamped import GOODBYE, HELLO, STAMP, message

TOGETHER = 1000  # events a call, where a call takes several
CYCLE = 16 * TOGETHER  # so many different ones, made before the clock starts
_LAST = struct.Struct("<qq")
Times = npt.NDArray[np.int64]


def batches(size: int) -> list[list[bytes]]:
    """All the events of a cycle, as lists that are sent by one call."""
    return [
        [message(k + 1, size) for k in range(start, start + TOGETHER)] for start in range(0, CYCLE, TOGETHER)
    ]


def greeting(size: int) -> bytes:
    return message(HELLO, size)


def goodbye(count: int, size: int) -> bytes:
    return _LAST.pack(GOODBYE, count) + bytes(size - _LAST.size)


class Wrong(Exception):
    """Something came that was not sent, or something did not come."""


class Receiver(Protocol):
    """Takes what comes until it is `done`: the goodbye was there."""

    done: bool

    def one(self, data: bytes) -> None: ...

    def columns(self, batch: Any) -> None: ...


class Check:
    """Counts and compares. `heard` is called at each greeting. `end`: when the goodbye was there."""

    def __init__(self, size: int, heard: Callable[[], object]) -> None:
        self.done = False
        self._heard = heard
        self.count = 0
        self.end = 0
        self._expected = [event for batch in batches(size) for event in batch]
        rows = np.frombuffer(b"".join(self._expected), "<u8").reshape(CYCLE, -1)
        self._rows = np.concatenate([rows, rows])  # so that what follows any place lies in one piece

    def one(self, data: bytes) -> None:
        if data == self._expected[self.count % CYCLE]:
            self.count += 1
        else:
            self._odd(data)

    def columns(self, batch: Any) -> None:
        """The same of many: a ringlog.Batch."""
        rows = batch.to_numpy("<u8")
        start = 0
        while start < len(rows):
            at = self.count % CYCLE
            part = rows[start : start + CYCLE]
            if np.array_equal(part, self._rows[at : at + len(part)]):
                self.count += len(part)
                start += len(part)
                continue
            same = (part == self._rows[at : at + len(part)]).all(axis=1)
            right = int(same.argmin())  # in front of the first that is not the next one
            self.count += right
            self._odd(part[right].tobytes())
            start += right + 1

    def _odd(self, data: bytes) -> None:
        kind, number = _LAST.unpack_from(data)
        if kind == HELLO and not self.count:
            self._heard()
        elif kind == GOODBYE and number == self.count:
            self.end = time.perf_counter_ns()  # CLOCK_MONOTONIC: the same in all processes
            self.done = True
        elif kind == GOODBYE:
            raise Wrong(f"{self.count:,} of {number:,} events came")
        else:
            raise Wrong(f"event {self.count:,} is not what was sent")


class Clock:
    """Notes when each event came, and when it was due."""

    def __init__(self, heard: Callable[[], object]) -> None:
        self.done = False
        self._heard = heard
        self._due, self._came = array("q"), array("q")

    def one(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        due = STAMP.unpack_from(data)[0]
        if due > 0:
            self._due.append(due)
            self._came.append(now)
        elif due == HELLO:
            self._heard()
        elif _LAST.unpack_from(data)[1] == len(self._due):
            self.done = True
        else:
            raise Wrong(f"{len(self._due):,} of {_LAST.unpack_from(data)[1]:,} events came")

    def columns(self, batch: Any) -> None:
        for data in batch.data:
            self.one(data)

    def latencies(self) -> Times:
        return np.array(self._came, np.int64) - np.array(self._due, np.int64)
