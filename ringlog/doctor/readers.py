"""What is to be said about readers with a slot."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ringlog.doctor.examination import Examination, Place
from ringlog.doctor.finding import Finding, Severity, evidence_of
from ringlog.events import ReaderInfo

_SEVERITIES: dict[str, tuple[str, Severity]] = {
    "stopped": ("stopped-reader", "problem"),
    "stuck": ("stuck-reader", "problem"),
    "slow": ("slow-reader", "note"),
    "dead": ("dead-reader", "note"),
    "away": ("lapped-name", "note"),
}


def readers(seen: Examination) -> Iterator[Finding]:
    """Does a lossless reader hold the writer up, or will it?"""
    if seen.looks is None:
        return
    for place, reader in seen.last.readers.items():
        state = seen.reader_state(place)
        lapped = reader.sequence < seen.last.info.tail_count
        if state not in _SEVERITIES or (state == "away" and not lapped):
            continue
        check, severity = _SEVERITIES[state]
        text, advice = _words(seen, place, reader, state)
        evidence = evidence_of(reader)
        evidence |= {"finished": seen.progress(place), "seconds": round(seen.seconds, 3)}
        yield Finding(seen.path, check, severity, text, advice, evidence)


def no_slots(seen: Examination) -> Iterator[Finding]:
    """Are all places for lossless and named readers taken?"""
    if seen.looks is None:
        return
    taken = list(seen.last.readers.values())
    away = sorted(reader.name for reader in taken if reader.name and not reader.leased)
    dead = sum(1 for reader in taken if not reader.name and not reader.leased)
    if dead or len(taken) < seen.last.max_readers:
        return  # a dead reader's place is free to whoever asks
    text = f"all {len(taken)} reader slots are taken, {len(away)} of them by names whose readers are away: "
    advice = "make a ring with more (ringlog create --max-readers), or close a reader"
    if away:
        forget = f"ringlog forget {shlex.quote(seen.path)} {shlex.quote(away[0])}"
        advice = f"drop a name that will not come back: {forget}"
    yield Finding(
        seen.path,
        "no-reader-slots",
        "problem",
        text + "no lossless or named reader can be opened",
        advice,
        {"max_readers": seen.last.max_readers, "away": away},
    )


def _words(seen: Examination, place: Place, reader: ReaderInfo, state: str) -> tuple[str, str]:
    """What is so, and what to do."""
    name = f"{reader.name!r}, " if reader.name else ""
    who = f"reader {name}pid {reader.pid} ({reader.process})"
    evict = f"ringlog evict {shlex.quote(seen.path)} --reader {shlex.quote(reader.name or str(reader.pid))}"
    waits = (
        "the writer waits for it" if reader.holds_up else "the writer will wait for it when the ring is full"
    )
    waits += f"; {reader.lag} events behind, {reader.fill:.0%} of the ring unread"
    if state == "stopped":
        return f"{who} is lossless: {waits}", f"continue it: kill -CONT {reader.pid}; or end it: {evict}"
    if state == "stuck":
        return (
            f"{who} has finished nothing in {seen.seconds:.1f} s: {waits}",
            f"see what it does; or end it: {evict}",
        )
    if state == "slow":
        return (
            f"{who} is slow, at {seen.progress(place) or 0} events in {seen.seconds:.1f} s: {waits}",
            "a larger ring evens out bursts; a reader that may lose events need not be lossless",
        )
    if state == "away":
        lost = seen.last.info.tail_count - reader.sequence
        return f"the reader named {reader.name!r} is away, and has missed {lost} events; it will be told", ""
    return f"reader pid {reader.pid} is dead; a writer that needs its room drops it", ""
