"""Opens an image as if after a reboot, and holds what is found against what was promised."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from disk_model import Image
from history import ENTRY, FIRST, Event, History, payload
from oracle import decode

import ringlog
import ringlog.files
import ringlog.lock
from ringlog import _core

CAPACITY = 1 << 16
STRIDE = CAPACITY // 64


class Found(NamedTuple):
    """A stream after recovery."""

    tail: int  # sequences
    head: int
    stream: str
    seconds: float  # that the recovery took
    events: list[Event]  # all up to the head, those before the tail too


@contextlib.contextmanager
def booted(boot_id: bytes) -> Iterator[None]:
    """In here the machine has been started anew."""
    known = ringlog.lock.boot_id
    ringlog.lock.boot_id = lambda: boot_id
    try:
        yield
    finally:
        ringlog.lock.boot_id = known


def check(image: Image, history: History, path: str, *, read_only: bool = True) -> Found | None:
    """AssertionError if the image breaks a promise. None: no ring is there, and none was promised.

    Call it inside of booted(). The file at `path` is written anew. read_only: look also as somebody who may
    not write, before a writer has recovered.
    """
    remove(path)
    if image.data is None:
        assert not history.promised, "a ring with events in it has lost its name"
        return None
    Path(path).write_bytes(image.data)
    if read_only:
        _check_read_only(path)
    began = time.perf_counter()
    writer = ringlog.Writer(path, timeout=10)
    seconds = time.perf_counter() - began
    with writer:
        seen = ringlog.info(path)
        events = _events(path, seen.event_count - seen.tail_count)
        _check_info(seen, events)
        written = _check_events(events, seen, history)
        _check_named(path, history, seen)
        if seen.event_count == history.end_kept and not history.pending:
            assert seen.ended, "end() is forgotten"
        assert writer.append(b"next") == seen.event_count
    after = _events(path, seen.event_count + 1 - ringlog.info(path).tail_count)
    assert after[-1].data == b"next"
    assert [tuple(event) for event in after[:-1]] == [tuple(event) for event in events][-len(after) + 1 :]
    assert [tuple(event) for event in decode(path)] == [tuple(event) for event in after]
    return Found(seen.tail_count, seen.event_count, seen.stream_id, seconds, written)


def remove(path: str) -> None:
    """Also the semaphore, if the last image got so far."""
    with contextlib.suppress(FileNotFoundError):
        try:
            ringlog.unlink(path)
        except ringlog.RinglogError:
            os.unlink(path)


def _check_read_only(path: str) -> None:
    """Who may only read, before any writer has recovered: is told to wait for one, and shown nothing."""
    with contextlib.suppress(ringlog.CorruptStream):
        ringlog.info(path)
    mapping, _ = ringlog.files.attach(path, os.O_RDONLY, _core.MAP_READ)
    with mock.patch.object(ringlog.Reader, "_attach_file", return_value=mapping):
        try:
            ringlog.Reader(path, start="oldest").close()
        except ringlog.CorruptStream as error:
            told = "restarted" in str(error)
        else:
            told = False
    assert told, "it could be read before it was recovered"


def _events(path: str, count: int) -> list[_core.Event]:
    with ringlog.Reader(path, start="oldest") as reader:
        events = reader.read_many(count + 10)
        if len(events) != count:
            raise AssertionError(f"{len(events)} events of {count}, then {reader.poll()}")
        assert reader.lost == 0
    return events


def _check_info(seen: ringlog.RingInfo, events: list[_core.Event]) -> None:
    assert [event.sequence for event in events] == list(range(seen.tail_count, seen.event_count))
    bytes_ = sum(ENTRY + len(event.data) for event in events)
    assert seen.write_offset - seen.tail_offset == bytes_ <= seen.capacity == CAPACITY
    assert seen.tail_offset >= FIRST
    stamps = [event.timestamp for event in events]
    assert stamps == sorted(stamps)


def _check_events(events: list[_core.Event], seen: ringlog.RingInfo, history: History) -> list[Event]:
    """The events that were written so, from the first one to the head."""
    head, tail = seen.event_count, seen.tail_count
    truths = [history.published] + [
        history.published[:start] + more for start, more in history.pending if start <= len(history.published)
    ]
    truths = [
        truth[:head]
        for truth in truths
        if len(truth) >= head and all(_same(event, truth[event.sequence]) for event in events)
    ]
    assert truths, f"{tail}..{head} was not written so; {len(history.published)} were published"
    ends = history.boundaries | {start + len(more) for start, more in history.pending}
    assert head in ends, f"half a batch: {head}, not one of {sorted(ends)[-5:]}"
    kept_from = _room_taken(history)
    if head < history.promised:
        assert not history.always, f"{history.promised - head} of {history.promised} promised events are gone"
        # Without syncs the writer drops a record that names nothing but overwritten events.
        what = f"synced: {history.promised}, left: {tail}..{head}; overwritten: up to {kept_from}"
        assert head == 0, what
        assert history.promised <= kept_from, what
    elif head:
        assert tail <= max(kept_from, history.lowest_tail), f"{tail} is the oldest, but {kept_from} was safe"
    if seen.stream_id in history.streams:
        assert head == len(history.published), "the same stream id, and sequences that were another's"
    return truths[0]


def _same(found: _core.Event, written: Event) -> bool:
    return written.timestamp in (0, found.timestamp) and found.data == payload(written.label, written.size)


def _room_taken(history: History) -> int:
    """The first sequence that a writer may not have overwritten yet, however large its last call was."""
    need = history.largest_end - CAPACITY
    position, sequence = FIRST, 0
    if need <= FIRST:
        return 0
    events = history.published + (history.pending[-1][1] if history.pending else [])
    for event in events:
        if position >= need + STRIDE or (position >= need and position + ENTRY + event.size > need + STRIDE):
            break
        position += ENTRY + event.size
        sequence += 1
    return sequence


def _check_named(path: str, history: History, seen: ringlog.RingInfo) -> None:
    for name in history.finished:
        with ringlog.Reader(path, name=name, start="latest", on_overrun="skip") as reader:
            goes_on_at = reader.sequence
        finished = history.named[name] + 1  # one more may have been, that we were not told of
        assert goes_on_at <= finished or goes_on_at == seen.tail_count, (
            f"{name} goes on at {goes_on_at}, but had finished only {finished - 1}"
        )
