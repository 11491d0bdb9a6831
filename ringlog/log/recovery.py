"""What a writer finds at the end of a log, and puts in order before it goes on.

The publication word is stored last, so what lies before it are whole events, however the last writer ended.
What lies behind it was never published: it is cut off. Only after a crash of the machine may the word be
newer on the disk than the events; so events that were not synced under this start of the machine are
checked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ringlog import verify_log
from ringlog.errors import CorruptStream
from ringlog.log.index import Index, boot_id, load
from ringlog.log.segments import START, Header, SegmentFile, read_header
from ringlog.repairing import torn

PIECE = 1 << 20


@dataclass(frozen=True)
class End:
    """Where a log goes on. report: what was cut off there, in words; empty if nothing was."""

    position: int
    sequence: int
    timestamp: int
    header: Header
    index: Index
    report: str


def find_end(fd: int, file: SegmentFile) -> End:
    """The end of a segment, as its entries have it. Raises CorruptStream: damage before it."""
    header = read_header(fd, file.path)
    size = os.fstat(fd).st_size
    index = load(file, header.start_timestamp)
    known = header.write_offset if index.boot == boot_id() else index.synced
    index.cut(min(known, header.write_offset, size))
    start = index.last
    end = min(header.write_offset, size)
    position, sequence, timestamp, why = verify_log.walk_from(fd, *start, end, lambda _events, _bytes: None)
    report = ""
    if why is None and end < header.write_offset:
        why = verify_log.CUT
    if why is not None:
        found = verify_log.Walked(
            header.write_offset,
            header.event_count,
            header.start_timestamp,
            size,
            position,
            sequence - file.first,
            timestamp,
            why,
        )
        if not torn(fd, found, file.path):
            raise CorruptStream(f"{file.path}: at position {position}, sequence {sequence}: {why}")
        report = (
            f"{file.path}: cut off {header.write_offset - position} bytes from position {position} on, "
            f"sequence {sequence}: {why}"
        )
    elif (left := _written_behind(fd, position, size)) > 0:
        report = f"{file.path}: cut off {left} bytes of an append that was not finished, behind {position}"
    return End(position, sequence, timestamp, header, index, report)


def _written_behind(fd: int, position: int, size: int) -> int:
    """How many bytes from `position` on somebody wrote to: the space behind them is zeros."""
    written = 0
    for at in range(position, size, PIECE):
        data = verify_log.read_at(fd, at, min(PIECE, size - at))
        used = len(data.rstrip(b"\0"))
        if used:
            written = at - position + used
    return written


__all__ = ["End", "find_end", "START"]
