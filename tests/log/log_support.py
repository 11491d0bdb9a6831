"""What the tests of logs share: the seed's format in plain struct and zlib, for a log's files."""

from __future__ import annotations

import os
import struct
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import ringlog

HEADER = struct.Struct("<qqq")
ENTRY = struct.Struct("<qII")


class Event(NamedTuple):
    sequence: int
    timestamp: int
    data: bytes


class Parsed(NamedTuple):
    write_offset: int
    event_count: int
    start_timestamp: int
    events: list[Event]


def parse(path: Path, first: int = 0) -> Parsed:
    """A stream file, as the seed describes it. Everything is checked."""
    raw = path.read_bytes()
    write_offset, event_count, start = HEADER.unpack_from(raw)
    events, at = [], HEADER.size
    while at < write_offset:
        timestamp, size, checksum = ENTRY.unpack_from(raw, at)
        data = raw[at + ENTRY.size : at + ENTRY.size + size]
        assert len(data) == size
        assert zlib.crc32(data) == checksum
        assert timestamp > 0
        assert not events or timestamp >= events[-1].timestamp
        events.append(Event(first + len(events), timestamp, data))
        at += ENTRY.size + size
    assert at == write_offset
    assert event_count == len(events)
    return Parsed(write_offset, event_count, start, events)


def build(path: Path, datas: list[bytes], *, start: int = 1_000, step: int = 10, stream: int = 1_000) -> None:
    """A stream file made by hand: event k at the time start + k * step."""
    entries = b"".join(
        ENTRY.pack(start + k * step, len(data), zlib.crc32(data)) + data for k, data in enumerate(datas)
    )
    path.write_bytes(HEADER.pack(HEADER.size + len(entries), len(datas), stream) + entries)


def segments(log: Path) -> list[Path]:
    return sorted(log.glob("*.events"))


def whole(log: Path) -> list[Event]:
    """All events of a directory of segments."""
    found: list[Event] = []
    for path in segments(log):
        assert not found or int(path.stem) >= found[-1].sequence + 1
        found += parse(path, int(path.stem)).events
    return found


def moment(microseconds: int) -> datetime:
    """So long after the beginning of Unix time."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=microseconds)


def read_all(path: os.PathLike[str] | str, **options: object) -> list[bytes]:
    with ringlog.LogReader(path, **options) as reader:  # type: ignore[arg-type]
        return [event.data for event in reader]


def numbered(count: int, size: int = 20, first: int = 0) -> list[bytes]:
    return [f"{k:08}".encode().ljust(size, b".") for k in range(first, first + count)]


def publish(ring: str, datas: list[bytes]) -> None:
    with ringlog.Writer(ring) as writer:
        for data in datas:
            writer.append(data)


def end(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.end()
