"""Rings to push, copies to compare, and streams written down as messages by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ringlog
from ringlog.bridge.message import Header, Message, Stream

ENTRY = struct.Struct("<qII")
STREAM = Stream("ab" * 16, 1_700_000_000_000_000_000)


def entry(data: bytes, timestamp: int) -> bytes:
    return ENTRY.pack(timestamp, len(data), zlib.crc32(data)) + data


def message(
    sequence: int, items: Sequence[bytes], stream: Stream = STREAM, *, time: int = 0, **header: Any
) -> Message:
    """Events of that stream, each stamped with its sequence."""
    base = time or stream.start
    data = b"".join(entry(item, base + sequence + k) for k, item in enumerate(items))
    fields = {"sequence": sequence, "count": len(items), "time": base + sequence + len(items) - 1, **header}
    return Message(Header(stream, **fields), data)


def end_mark(sequence: int, stream: Stream = STREAM) -> Message:
    return Message(Header(stream, sequence, 0, stream.start + sequence, ended=True), b"")


def number(k: int) -> bytes:
    return b"event %d" % k


def numbers(first: int, last: int, stream: Stream = STREAM) -> Message:
    """Events `first` to `last` - 1, whose data are their sequences."""
    return message(first, [number(k) for k in range(first, last)], stream)


def fill(path: str, items: Iterable[bytes], *, end: bool = True, **options: Any) -> None:
    with ringlog.Writer(path, **options) as writer:
        for item in items:
            writer.append(item)
        if end:
            writer.end()


def events(path: str) -> list[tuple[int, int, bytes]]:
    """All that is in a ring, with sequences and times."""
    with ringlog.Reader(path, start="oldest") as reader:
        return [tuple(event) for event in reader.read_many(1_000_000)]


def same(one: str, other: str) -> None:
    """The same stream, events and end, in another file."""
    here, there = ringlog.info(one), ringlog.info(other)
    assert events(one) == events(other)
    assert here.stream_id == there.stream_id
    assert here.start_timestamp == there.start_timestamp
    assert here.event_count == there.event_count
    assert here.ended == there.ended
    assert ringlog.verify(other).ok


def stream_of(path: str) -> Stream:
    seen = ringlog.info(path)
    return Stream(seen.stream_id, seen.start_timestamp)


def record(ring: str, log: str) -> None:
    ringlog.record(ring, log, stop=lambda: True)


def held(path: str, first: int, last: int) -> None:
    """The ring has exactly the events from `first` to `last` - 1, as numbers() makes them."""
    assert [(k, data) for k, _, data in events(path)] == [(k, number(k)) for k in range(first, last)]
    assert ringlog.verify(path).ok


def until(path: str, count: int) -> Callable[[], bool]:
    """As `stop`: the ring has got so far."""

    def stop() -> bool:
        try:
            return ringlog.info(path).event_count >= count
        except FileNotFoundError:
            return False

    return stop
