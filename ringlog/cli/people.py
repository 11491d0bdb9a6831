"""Writers and readers in words: what ``info``, ``doctor`` and ``evict`` say about a process."""

from __future__ import annotations

import ringlog
from ringlog.cli.formats import iso_time
from ringlog.words import count as count
from ringlog.words import span as span


def ago(age: float | None) -> str:
    """``3.2 s ago``, ``15 min ago``, ``never``."""
    return "never" if age is None else f"{span(age)} ago"


def who(one: ringlog.WriterInfo | ringlog.ReaderInfo) -> str:
    """``writer pid 123``, ``reader 'billing', pid 77``."""
    if isinstance(one, ringlog.WriterInfo):
        return f"writer pid {one.pid}"
    return f"reader {one.name!r}, pid {one.pid}" if one.name else f"reader pid {one.pid}"


def evidence(one: ringlog.WriterInfo | ringlog.ReaderInfo) -> str:
    """What tells that a process is idle, slow, stopped or dead."""
    facts = [one.process] if one.process else []
    if one.started:
        facts.append(f"started {iso_time(int(one.started) * 1_000_000_000)[:19]}Z")
    facts.append("holds its lease" if one.leased else "holds no lease")
    if isinstance(one, ringlog.WriterInfo):
        facts.append(f"published {ago(one.age)}")
        if one.holds_lock:
            facts.append("has the write lock")
        return "; ".join(facts)
    behind = f"; its next event is {span(one.behind)} old" if one.lag and one.behind is not None else ""
    facts.append(f"{count(one.lag, 'event')} behind{behind}" if one.lag else "has read everything")
    if one.fill >= 0.01:
        facts.append(f"{one.fill:.0%} of the ring unread")
    if one.holds_up:
        facts.append("a writer waits for it")
    return "; ".join(facts)
