"""Runs of entries, made and taken apart without the library; and jumps."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from oracle import ENTRY

import ringlog


class Entry(NamedTuple):
    timestamp: int
    data: bytes


def packed(data: bytes, timestamp: int = 1) -> bytes:
    return ENTRY.pack(timestamp, len(data), zlib.crc32(data)) + data


def run_of(*entries: tuple[int, bytes]) -> bytes:
    return b"".join(packed(data, timestamp) for timestamp, data in entries)


def unpacked(run: bytes) -> list[Entry]:
    """The entries of a run, each checked; nothing may be left over."""
    found, at = [], 0
    while at < len(run):
        timestamp, size, checksum = ENTRY.unpack_from(run, at)
        data = run[at + ENTRY.size : at + ENTRY.size + size]
        assert len(data) == size, "an entry is cut off"
        assert zlib.crc32(data) == checksum, "another checksum"
        found.append(Entry(timestamp, data))
        at += ENTRY.size + size
    return found


def taken(reader: ringlog.Reader | ringlog.LogReader, limit: int = 1 << 20, *, verify: bool = True) -> bytes:
    """The next run; AssertionError if there is none, or if what is said about it is not so."""
    first = reader.sequence
    got = reader._take_run(limit, verify)
    assert got is not None, "no run"
    run, count, earliest, latest = got
    entries = unpacked(run)
    assert count == len(entries) == reader.sequence - first
    assert (earliest, latest) == (entries[0].timestamp, entries[-1].timestamp)
    return run


def append_whole(writer: ringlog.Writer, run: bytes, sequence: int) -> list[int]:
    """All of a run; how many bytes each publication took."""
    parts: list[int] = []
    while sum(parts) < len(run):
        done = sum(parts)
        parts.append(writer._append_run(run, done, sequence + len(unpacked(run[:done])), not parts))
    return parts


def jump(writer: ringlog.Writer, sequence: int) -> int:
    slot: int = writer._with_lock(lambda: writer._jump(sequence))
    return slot


def lost(reader: ringlog.Reader) -> tuple[int, int]:
    """First and last of the Overrun that the next read raises; AssertionError if it returns something."""
    try:
        event = reader.poll()
    except ringlog.Overrun as error:
        return error.first, error.last
    raise AssertionError(f"nothing was lost; it read {event}")
