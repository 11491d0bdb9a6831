"""Opens the image of a log as if after a reboot, and holds what is found against what was promised."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import NamedTuple

from history import payload
from log_disk import LogImage
from log_history import LogHistory

import ringlog
from ringlog import _core

SEGMENT = 12_000
TRUNCATED_OR_DAMAGED = (ringlog.CorruptStream, ringlog.StreamTruncated, ringlog.NotARing)


class FoundLog(NamedTuple):
    """A log after recovery."""

    history: LogHistory  # what its users know from here on
    seconds: float  # that the recovery took


class Seen(NamedTuple):
    events: list[_core.Event]
    gaps: list[ringlog.Overrun]


def check_log(image: LogImage, history: LogHistory, path: str, *, read_only: bool = True) -> FoundLog | None:
    """AssertionError if the image breaks a promise. None: no log is there, and none was promised.

    Call it inside of booted(). The directory at `path` is made anew. read_only: look also as somebody who
    reads it before a writer has put it in order.
    """
    remove_log(path)
    if image.data is None:
        assert not history.promised, "a log with events in it has lost its name"
        return None
    os.mkdir(path)
    for name, data in image.data.items():
        with open(f"{path}/{name}", "wb") as file:
            file.write(data)
    if read_only:
        _check_before(path, history)
    began = time.perf_counter()
    writer = ringlog.LogWriter(path, segment_bytes=SEGMENT)
    seconds = time.perf_counter() - began
    with writer:
        count = writer.sequence
        seen = _read(path)
        _check_events(seen, count, history)
        report = ringlog.verify(path)
        assert report.ok, report
        assert writer.append(b"next") == count
        assert writer.append_many([b"and", bytes(6000), bytes(6001)]) == range(count + 1, count + 4)
    after = _read(path)
    assert [tuple(event) for event in after.events[:-4]] == [tuple(event) for event in seen.events]
    assert [event.sequence for event in after.events[-4:]] == list(range(count, count + 4))
    assert ringlog.verify(path).ok
    _check_seeking(path, after.events)
    return FoundLog(history.after({event.sequence: event.timestamp for event in seen.events}, count), seconds)


def remove_log(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def _truth(event: _core.Event, history: LogHistory) -> bool:
    """Was it written so? Of the time of one that was not promised, the first bytes may be missing: they may
    stand in a sector of their own, and no checksum covers them."""
    at, events = event.sequence, history.published + history.pending
    if at >= len(events):
        return False
    written = events[at]
    times = {written.timestamp}
    if at >= history.promised:
        times |= {written.timestamp >> 8 * k << 8 * k for k in range(1, 8)}
    return event.timestamp in times and event.data == payload(written.label, written.size)


def _short(event: _core.Event) -> str:
    return f"sequence {event.sequence} ({event.timestamp}, {len(event.data)} bytes)"


def _check_before(path: str, history: LogHistory) -> None:
    """Who reads before a writer has put the log in order gets true events, or is told."""
    wrong = None  # half an entry may look like an empty one, but only if it is the last
    with contextlib.suppress(*TRUNCATED_OR_DAMAGED), ringlog.LogReader(path) as reader:
        while True:
            try:
                for event in reader:
                    assert wrong is None, f"{wrong} was not written so, and something comes behind it"
                    wrong = None if _truth(event, history) else _short(event)
                    assert wrong is None or not event.data, f"{wrong} was not written so"
                assert wrong is None, f"{wrong} was not written so"
                return
            except ringlog.Overrun:
                continue


def _read(path: str) -> Seen:
    seen = Seen([], [])
    with ringlog.LogReader(path) as reader:
        if reader.oldest:
            seen.gaps.append(ringlog.Overrun(0, reader.oldest - 1))
        while True:
            try:
                seen.events.extend(reader)
                return seen
            except ringlog.Overrun as gap:
                seen.gaps.append(gap)


def _check_events(seen: Seen, count: int, history: LogHistory) -> None:
    """They were written so, none that was promised is missing, and what is missing is told."""
    published, total = len(history.published), len(history.published) + len(history.pending)
    assert count <= total, f"it goes on at {count}, but {total} were written"
    for event in seen.events:
        assert _truth(event, history), f"{_short(event)} was not written so"
    found = [event.sequence for event in seen.events]
    assert found == sorted(set(found)), "twice, or out of order"
    missing = set(range(count)) - set(found)
    told = {sequence for gap in seen.gaps for sequence in range(gap.first, gap.last + 1)}
    assert missing == told, f"missing: {sorted(missing)}; told: {sorted(told)}"
    lost = {k for k in range(history.promised) if k >= history.horizon} - history.gone - set(found)
    assert not lost, f"{len(lost)} of {history.promised} promised events are gone, {min(lost)} the first"
    if history.always:  # by every writer
        more = {k for k in missing if k >= history.horizon} - history.gone
        assert not more, f"a gap where every append was synced: {sorted(more)}"
        ends = history.boundaries | {total}
        assert count in ends or history.by_parts, f"half a batch: {count} of {published}"


def _check_seeking(path: str, events: list[_core.Event]) -> None:
    for event in events[:: max(1, len(events) // 5)]:
        with ringlog.LogReader(path, start=event.sequence) as reader:
            assert tuple(next(reader)) == tuple(event)
