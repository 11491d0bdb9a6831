"""What is told about a ring: what `info`, `verify` and `repair` return, and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ringlog._core import Event

__all__ = ["Event", "ReaderInfo", "Repair", "Report", "RingInfo", "State", "WriterInfo"]

State = Literal["active", "idle", "stopped", "dead"]


@dataclass(frozen=True)
class WriterInfo:
    """A process that has the ring open for writing.

    state: "active" (published within the last second), "idle", "stopped" (SIGSTOP, a debugger,
    or a frozen control group), "dead" (its lease is gone and nobody has taken its slot yet).
    age: seconds since it last published, or since it opened the ring if it has not; 0 if the clock was set
    back behind that moment.

    The rest is evidence for people, and not compared. started: when the process started, Unix seconds.
    leased: it holds its lease; that alone tells the living from the dead. process: its name and state as the
    system shows them, if it can be seen from here. holds_lock: the write lock is its own just now.
    """

    pid: int
    state: State
    age: float
    started: float | None = field(default=None, compare=False)
    leased: bool | None = field(default=None, compare=False)
    process: str = field(default="", compare=False)
    holds_lock: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class ReaderInfo:
    """A reader with a slot: lossless ones, and named ones also while their reader is gone.

    Lossy readers cost nothing and leave no trace, so they are not listed. state: "active" (it has
    events to read), "idle" (it has read everything), "stopped", "dead" (it holds nobody up).
    sequence: the first event that it has not finished. lag: events published from there on.

    The rest is evidence for people, and not compared. started, leased, process: as a writer's. behind:
    seconds since the first event that it has not finished was published; 0 if there is none, None if that
    event is gone. fill: which part of the ring its unread bytes take, from 0 to 1. holds_up: a writer waits
    for it just now.
    """

    name: str | None
    pid: int
    state: State
    lossless: bool
    sequence: int
    lag: int
    started: float | None = field(default=None, compare=False)
    leased: bool | None = field(default=None, compare=False)
    process: str = field(default="", compare=False)
    behind: float | None = field(default=None, compare=False)
    fill: float = field(default=0.0, compare=False)
    holds_up: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class RingInfo:
    """A snapshot of a ring.

    write_offset and tail_offset are positions in the stream, in bytes; event_count is how many events
    were published since it began, tail_count the sequence of the oldest one that is still there.
    start_timestamp: Unix nanoseconds. writer: the last to publish, or None if that one has closed.
    """

    path: str
    stream_id: str
    version: int
    capacity: int
    data_start: int
    write_offset: int
    event_count: int
    start_timestamp: int
    tail_offset: int
    tail_count: int
    ended: bool
    writer: WriterInfo | None
    writers: tuple[WriterInfo, ...]
    readers: tuple[ReaderInfo, ...]


@dataclass(frozen=True)
class Report:
    """What `verify` found.

    kind: "ring" or "log" (one file, or a directory of segments). events, bytes: how many whole events were
    found, and how much of the stream they are, 16 bytes for each event included. first_bad, why: None, or
    the first position in the stream that is wrong, and the reason; 0 is the header. In a directory of
    segments it is a position in the file that `why` names. overtaken: events that a writer overwrote before
    they were looked at. notes: what else is worth knowing.
    """

    path: str
    kind: Literal["ring", "log"]
    events: int
    bytes: int
    first_bad: int | None
    why: str | None
    overtaken: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Everything that was looked at is whole."""
        return self.first_bad is None


@dataclass(frozen=True)
class Repair:
    """What `repair` would do, or did.

    steps: each a sentence; none if there is nothing that recovery would do. done: the steps were taken.
    report: what `verify` finds in the file as it is now.
    """

    path: str
    kind: Literal["ring", "log"]
    steps: tuple[str, ...]
    done: bool
    report: Report
