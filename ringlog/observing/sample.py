"""What a sample says.

Rates are means since the sample before, or over half a second if that was less; None where there was nothing
to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringlog.observing.processes import ProcessSample

Severity = Literal["", "note", "problem"]
SEVERITIES: tuple[Severity, ...] = ("", "note", "problem")  # from good to bad


@dataclass(frozen=True)
class WriterSample:
    """A process that has the ring open for writing.

    slot: its place in the ring's table of writers. state: active (published within the last second), idle,
    waiting (for a reader, and no other writer is there), stopped or dead. age: seconds since it last
    published, or opened the ring. why: what is wrong with it, and for whom; "" if nothing is. severity: a
    "problem" holds somebody up. process: None if it can't be seen.
    """

    slot: int
    pid: int
    state: str
    age: float
    holds_lock: bool
    process: ProcessSample | None
    severity: Severity
    why: str


@dataclass(frozen=True)
class ReaderSample:
    """A reader with a slot: lossless, or a name. Lossy readers leave no trace in a ring.

    state: idle (has read everything), reading, slow (a writer waits for it, or soon will), stuck (a writer
    waits, and it has finished nothing since the last sample), stopped, dead, or away (a name that is kept).
    sequence: the first event that it has not finished; lag: how many are published from there on. behind:
    seconds since that event was published, 0 if there is none, None if it is gone. unread: which part of the
    capacity its unread bytes take, 0 to 1. lost: events that are gone, and that it has not been told of yet.
    events_per_second: how many it finishes. holds_up: a writer waits for it just now. severity, why, process:
    as a writer's.
    """

    slot: int
    name: str | None
    pid: int
    state: str
    lossless: bool
    sequence: int
    lag: int
    behind: float | None
    unread: float
    lost: int
    events_per_second: float | None
    holds_up: bool
    process: ProcessSample | None
    severity: Severity
    why: str


@dataclass(frozen=True)
class BridgeSample:
    """A push or a pull of this ring, or of a log: what it last said of itself (see `ringlog.bridge`).

    direction: push or pull. name: of the reader that a push is. address: what it leads to. pid: its process.
    state: connecting, running, blocked (by a reader of the local ring, or by a server that is full),
    disconnected, ended, stopped, failed; suspended (its process was stopped by a signal), killed (it is gone,
    and has left its figures), or silent (it can't be seen from here, and says nothing any more). up: it runs
    and is connected. Counted since it was started: events, bytes, messages; gaps and missing: how often
    events were missing, and how many; duplicates: events that came again, and were left out; reconnects.
    in_flight: messages that are sent and not acknowledged. lag_events, lag_seconds: events that are there and
    not passed on yet, and the age of the oldest. age: seconds since these figures were written. severity,
    why: as a writer's.
    """

    direction: str
    name: str
    address: str
    pid: int
    state: str
    up: bool
    events: int
    bytes: int
    messages: int
    in_flight: int
    lag_events: int
    lag_seconds: float
    gaps: int
    missing: int
    duplicates: int
    reconnects: int
    age: float
    severity: Severity
    why: str


@dataclass(frozen=True)
class RingSample:
    """A ring, or why it can't be read (`error`; then the rest means nothing).

    events, bytes: published since the stream began; bytes with the 16 that stand before each event.
    unread: the share of the capacity that lossless readers who are there have not finished: at 1 the writer
    waits. kept: the share that holds events, read or not. holds: seconds of events that the whole capacity
    holds at this rate. newest: when the newest event was published, Unix nanoseconds; 0: none. bridges: its
    pushes to other machines, and the pull that feeds it from one.
    """

    path: str
    error: Exception | None = None
    stream_id: str = ""
    capacity: int = 0
    events: int = 0
    bytes: int = 0
    oldest: int = 0
    newest: int = 0
    ended: bool = False
    events_per_second: float | None = None
    bytes_per_second: float | None = None
    unread: float = 0.0
    kept: float = 0.0
    holds: float | None = None
    writers: tuple[WriterSample, ...] = ()
    readers: tuple[ReaderSample, ...] = ()
    bridges: tuple[BridgeSample, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of what is wrong with it and its people."""
        if self.error is not None:
            return "note" if isinstance(self.error, OSError) else "problem"
        return max((one.severity for one in self.writers + self.readers), key=SEVERITIES.index, default="")

    @property
    def lag(self) -> int:
        """Events that the reader furthest behind has not finished; names that are away don't count."""
        return max((one.lag for one in self.readers if one.state not in ("away", "dead")), default=0)


@dataclass(frozen=True)
class Sample:
    """All rings at one moment.

    time: Unix nanoseconds. seconds: since the sample before; 0 for the first. denied: folders, and files that
    may be rings, which we may not read.
    """

    time: int
    seconds: float
    rings: tuple[RingSample, ...]
    denied: tuple[str, ...]
