"""Does a reader fall behind? Told from two looks: what was published between them, and what it has read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding, evidence_of
from ringlog.words import span

SOON = 60.0  # seconds until the ring is full, from which on it is worth a word


def falling_behind(seen: Examination) -> Iterator[Finding]:
    """Will the ring be full within a minute, at the pace of the last moments? Then the writer will wait."""
    if seen.looks is None or not seen.seconds:
        return
    before, after = seen.looks
    published = after.info.event_count - before.info.event_count
    for place, reader in after.readers.items():
        then, finished = before.readers.get(place), seen.progress(place)
        if then is None or finished is None or seen.reader_state(place) != "reading":
            continue
        grown = (reader.fill - then.fill) * after.info.capacity
        if grown <= 0 or finished >= published:
            continue
        left = (1 - reader.fill) * after.info.capacity / grown * seen.seconds
        if left > SOON:
            continue
        who = f"reader {reader.name!r}, pid" if reader.name else "reader pid"
        yield Finding(
            seen.path,
            "falling-behind",
            "note",
            f"{who} {reader.pid} ({reader.process}) falls behind: in {seen.seconds:.1f} s {published} events "
            f"were published and it has finished {finished}; at this pace the ring is full in {span(left)}, "
            "and then the writer waits for it",
            "make it faster (read_many, read_batch), give it more processor time, or make a larger ring: "
            f"ringlog create --capacity; who writes how fast: ringlog info {shlex.quote(seen.path)}",
            evidence_of(reader)
            | {"published": published, "finished": finished, "full_in": round(left, 1)}
            | {"seconds": round(seen.seconds, 3)},
        )
