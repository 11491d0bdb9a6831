"""What a writer finds at the end of a log, and puts in order before it goes on.

The publication word is stored last, so what lies before it are whole events, however the last writer ended.
What lies behind it was never published: it is cut off. Only after a crash of the machine may the word be
newer on the disk than the events; so events that were not synced under this start of the machine are
checked. Pages that did not get to the disk read as zeros, behind whatever was there of them. The log ends
in front of the first; if there may be whole events behind it, those bytes are kept in a file of their own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ringlog import verify_log
from ringlog.errors import CorruptStream
from ringlog.log.index import Index, load, same_boot
from ringlog.log.segments import ENTRY, START, Header, SegmentFile, read_header
from ringlog.repairing import torn

PIECE = 1 << 20
SECTOR = 512  # bytes that a disk writes whole
TELLING = 8  # zeros at the end of a sector say that it was not written up to there


@dataclass(frozen=True)
class End:
    """Where a log goes on.

    report: what has to be cut off there, in words; empty if nothing. events_behind: there may be whole events
    in it. stale: the index on disk knows of what is not there any more: `index` has to be saved before
    anything is written.
    """

    position: int
    sequence: int
    timestamp: int
    header: Header
    index: Index
    report: str
    events_behind: bool
    stale: bool


def find_end(fd: int, file: SegmentFile) -> End:
    """The end of a segment, as its entries have it. Raises CorruptStream: damage before it."""
    header = read_header(fd, file.path)
    size = os.fstat(fd).st_size
    index = load(file, header.start_timestamp)
    restarted, synced, saved = not same_boot(index), index.synced, index.last[0]
    index.cut(min(synced if restarted else header.write_offset, header.write_offset, size))
    start = index.last
    end = min(header.write_offset, size)
    position, sequence, timestamp, why = verify_log.walk_from(fd, *start, end, lambda _events, _bytes: None)
    report, events_behind = "", False
    if why is None and end < header.write_offset:
        why = verify_log.CUT
    if why is not None:
        if restarted and position - ENTRY.size >= max(start[0], synced):
            position, sequence, timestamp = _without_half(fd, start, (position, sequence, timestamp))
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
            if (
                not restarted
                or position < synced
                or not (end < header.write_offset or _unwritten(fd, position, end))
            ):
                raise CorruptStream(f"{file.path}: at position {position}, sequence {sequence}: {why}")
            events_behind = True
        report = (
            f"{file.path}: cut off {header.write_offset - position} bytes from position {position} on, "
            f"sequence {sequence}: {why}"
        )
    elif (left := _written_behind(fd, position, size)) > 0:
        report = f"{file.path}: cut off {left} bytes of an append that was not finished, behind {position}"
    stale = max(saved, synced) > position
    index.cut(position)
    return End(position, sequence, timestamp, header, index, report, events_behind, stale)


def looks_half(fd: int, position: int) -> bool:
    """May what ends at `position` be an empty event? Its size and checksum are zeros: one with data, of which
    no more than the time is on disk, looks the same."""
    return position >= START + ENTRY.size and os.pread(fd, 8, position - 8) == bytes(8)


def _without_half(fd: int, start: tuple[int, int, int], end: tuple[int, int, int]) -> tuple[int, int, int]:
    """In front of a last event that may have been another one: nobody was promised it (OpenSegment.vouch)."""
    if not looks_half(fd, end[0]):
        return end
    *before, why = verify_log.walk_from(fd, *start, end[0] - ENTRY.size, lambda _events, _bytes: None)
    return end if why is not None or before[0] != end[0] - ENTRY.size else (before[0], before[1], before[2])


def _unwritten(fd: int, position: int, end: int) -> bool:
    """Is the entry at `position` as a crash of the machine leaves it: with a sector that ends in zeros?"""
    raw = os.pread(fd, ENTRY.size, position)
    if len(raw) < ENTRY.size:
        return True
    timestamp, size, _ = ENTRY.unpack(raw)
    stop = position + ENTRY.size
    if timestamp > 0 and stop + size <= end:
        stop += size
    while position < stop:
        piece_end = min(stop, (position + PIECE) // SECTOR * SECTOR)
        data = bytes(verify_log.read_at(fd, position, piece_end - position))
        for at in range(SECTOR - position % SECTOR, len(data) + SECTOR, SECTOR):
            part = data[max(0, at - SECTOR) : at][-TELLING:]
            if part and not any(part):
                return True
        position = piece_end
    return False


def aside(file: SegmentFile, position: int) -> str:
    """Where the bytes from a position on are kept that a writer has to cut off, though there are events."""
    return f"{file.path.removesuffix('.events')}.lost-{position}"


def keep_aside(fd: int, file: SegmentFile, position: int) -> None:
    """Raises OSError."""
    flags, mode = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, os.fstat(fd).st_mode & 0o666
    with open(os.open(aside(file, position), flags, mode), "wb") as copy:
        size = os.fstat(fd).st_size
        for at in range(position, size, PIECE):
            copy.write(verify_log.read_at(fd, at, min(PIECE, size - at)))
        os.fsync(copy.fileno())


def mend(file: SegmentFile) -> str:
    """Put an earlier segment in order after a crash of the machine: its words go back to the last event in
    front of a page that is not there. The file stays as long as it is; readers are told of the gap. What was
    done, in words.

    Raises NotARing, CorruptStream, OSError.
    """
    fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        end = find_end(fd, file)
        count = end.sequence - file.first
        if (end.position, count) == (end.header.write_offset, end.header.event_count):
            return ""
        end.index.save(file.index_path, os.fstat(fd).st_mode, durable=True)
        os.pwrite(fd, verify_log.HEADER.pack(end.position, count, 0)[:16], 0)
        os.fsync(fd)
        return end.report if end.position < end.header.write_offset else ""
    finally:
        os.close(fd)


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
