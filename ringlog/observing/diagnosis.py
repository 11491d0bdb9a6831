"""Who is behind, and why: a state, how bad it is, and a sentence."""

from __future__ import annotations

from typing import NamedTuple

from ringlog.events import ReaderInfo, WriterInfo
from ringlog.observing.sample import Severity

MUCH = 0.5  # of the ring unread: slow, whatever its rate
SOME = 0.05  # below it, falling behind is a burst
KEEPS_UP = 0.9  # of the writer's rate
PATIENCE = 5.0  # seconds that one event may take before we say so


class Diagnosis(NamedTuple):
    state: str
    severity: Severity
    why: str


class Pace(NamedTuple):
    """What moved since the last look, in `seconds`: events that a reader finished, what the writer wrote."""

    seconds: float
    finished: int
    events: int
    bytes: int


def of_writer(writer: WriterInfo, others: bool, waits: bool) -> Diagnosis:
    """A writer's state in words, and whom it holds up. others: are there, and alive; waits: for a reader."""
    lock = writer.holds_lock
    if writer.state == "dead":
        why = "died without closing" + ("" if others else "; nobody writes")
        return Diagnosis("dead", "note", why + ("; the next writer puts the ring in order" if lock else ""))
    if writer.state == "stopped" and lock:
        why = f"stopped with the write lock: no writer can go on; kill -CONT {writer.pid}"
        return Diagnosis("stopped", "problem", why)
    if writer.state == "stopped":
        why = "others go on" if others else "nobody writes"
        return Diagnosis("stopped", "note", f"stopped; {why}; kill -CONT {writer.pid}")
    return Diagnosis("waiting" if waits and not others else writer.state, "", "")


def of_reader(reader: ReaderInfo, lost: int, pace: Pace | None, capacity: int) -> Diagnosis:
    """A reader's state in words, and why it is behind."""
    if reader.state == "dead":
        if reader.name is None:
            return Diagnosis("dead", "note", "died; a writer that needs its room drops it")
        missed = f"its process is gone, and it has missed {lost:,} events" if lost else ""
        return Diagnosis("away", "note" if lost else "", missed)
    waits = "the writer waits for it"
    if reader.state == "stopped":
        cause = f"stopped; {waits if reader.holds_up else _until_full(reader, pace, capacity)}"
        return Diagnosis("stopped", "problem", f"{cause}; kill -CONT {reader.pid}")
    told = f"{lost:,} events lost while it was away" if lost else ""
    if reader.lag == 0:
        return Diagnosis("idle", "note" if told else "", told)
    if pace is not None and pace.finished == 0:
        if reader.holds_up:
            return Diagnosis("stuck", "problem", f"finished nothing in {pace.seconds:.1f} s; {waits}")
        if reader.fill > MUCH or (reader.behind is not None and reader.behind > PATIENCE):
            return Diagnosis("slow", "note", f"finished nothing in {pace.seconds:.1f} s")
    if reader.holds_up:
        takes = f"; it takes {pace.finished / pace.seconds:,.0f} events/s" if pace else ""
        return Diagnosis("slow", "note", waits + takes)
    rates = _rates(pace)
    falls_behind = pace is not None and pace.finished < KEEPS_UP * pace.events
    if reader.fill > MUCH or (reader.fill > SOME and falls_behind):
        if pace is not None and not pace.events:
            return Diagnosis(
                "slow", "note", f"far behind; it takes {pace.finished / pace.seconds:,.0f} events/s"
            )
        if pace is not None and not falls_behind:
            return Diagnosis("slow", "note", f"far behind, and catching up{rates}")
        return Diagnosis("slow", "note", _until_full(reader, pace, capacity) + rates)
    return Diagnosis("reading", "note" if told else "", told)


def _rates(pace: Pace | None) -> str:
    if pace is None:
        return ""
    return f"; it takes {pace.finished / pace.seconds:,.0f} of {pace.events / pace.seconds:,.0f} events/s"


def _until_full(reader: ReaderInfo, pace: Pace | None, capacity: int) -> str:
    """When its lag will have filled the ring, if all goes on as it did."""
    growth = 0.0
    if pace is not None and pace.events > pace.finished:
        growth = pace.bytes / pace.seconds * (1 - pace.finished / pace.events)
    if growth <= 0:
        return "the writer waits once the ring is full"
    left = (1 - reader.fill) * capacity / growth
    return f"in {left:,.1f} s the writer waits for it" if left < 3600 else "it falls behind"
