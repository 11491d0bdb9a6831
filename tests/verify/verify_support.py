"""What the tests of verify and repair share: logs made by hand, and whether a file has changed."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from oracle import ENTRY, FIRST

import ringlog

HEADER = struct.Struct("<qqq")
BEGAN = 1_700_000_000_000_000_000


def entry(timestamp: int, data: bytes) -> bytes:
    return ENTRY.pack(timestamp, len(data), zlib.crc32(data)) + data


def log_bytes(events: Sequence[bytes], *, start: int = BEGAN, count: int | None = None) -> bytes:
    """A log in the seed's format; event k is of k nanoseconds after BEGAN."""
    body = b"".join(entry(BEGAN + k, data) for k, data in enumerate(events))
    return HEADER.pack(FIRST + len(body), len(events) if count is None else count, start) + body


def write_log(path: Path, events: Sequence[bytes], **options: int) -> Path:
    path.write_bytes(log_bytes(events, **options))
    return path


def places(events: Sequence[bytes]) -> list[int]:
    """Where the entries of such a log begin, and where the last one ends."""
    found = [FIRST]
    for data in events:
        found.append(found[-1] + ENTRY.size + len(data))
    return found


def digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def whole(path: str | Path, events: int) -> ringlog.Report:
    """It is whole and has so many events."""
    report = ringlog.verify(path)
    assert report.ok, report
    assert (report.events, report.first_bad, report.why) == (events, None, None)
    return report


def damaged(path: str | Path, position: int, why: str) -> ringlog.Report:
    """The first bad position is this one; `why` is in the reason."""
    before = digest(path) if Path(path).is_file() else ""
    report = ringlog.verify(path)
    assert not report.ok
    assert report.first_bad == position, report
    assert report.why is not None
    assert why in report.why, report
    assert not before or digest(path) == before
    return report


def nothing_to_do(path: str | Path) -> ringlog.Repair:
    """Asked to, it changes nothing."""
    before = digest(path)
    result = ringlog.repair(path, apply=True)
    assert (result.steps, result.done) == ((), False)
    assert digest(path) == before
    return result
