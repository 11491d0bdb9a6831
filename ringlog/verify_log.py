"""Verifying a log: one stream file, or a directory of segments. Read piece by piece, never mapped."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from ringlog import _core
from ringlog.events import Report
from ringlog.verify_ring import WHY

Progress = Callable[[int, int], object]

HEADER = struct.Struct("<qqq")  # write_offset, event_count, start_timestamp
SEGMENT = re.compile(r"(\d{20})\.events")
PIECE = 4 << 20
LARGEST = _core.ENTRY_SIZE + (1 << 32) - 1
CUT = "the file ends within this entry"


@dataclass(frozen=True)
class Walked:
    """How far the entries of a stream file are whole. position, sequence: of the next, or the bad, entry."""

    write_offset: int
    event_count: int
    start_timestamp: int
    size: int
    position: int
    sequence: int
    timestamp: int
    why: str | None
    behind: int = 0  # whole entries behind the end: those of a publication that was not finished

    @property
    def count_differs(self) -> bool:
        return self.why is None and self.sequence != self.event_count

    @property
    def count_is_wrong(self) -> bool:
        """No kill leaves it so: a writer stores the count when its entries are there, then the end."""
        return self.count_differs and not self.sequence < self.event_count <= self.sequence + self.behind


def walk(fd: int, progress: Progress) -> Walked:
    """Walk the entries of the stream file behind fd, as far as its header says."""
    header = os.pread(fd, HEADER.size, 0)
    size = os.fstat(fd).st_size
    if len(header) < HEADER.size:
        return Walked(0, 0, 0, size, 0, 0, 0, "the file ends within its header")
    write_offset, event_count, start_timestamp = HEADER.unpack(header)
    if write_offset < HEADER.size or event_count < 0 or start_timestamp < 0:
        why = f"the header: write_offset {write_offset}, event_count {event_count}"
        why += f", start_timestamp {start_timestamp}"
        return Walked(write_offset, event_count, start_timestamp, size, 0, 0, 0, why)
    reached = walk_from(fd, HEADER.size, 0, 0, write_offset, progress)
    while reached[3] is None and reached[1] != event_count:  # read between a writer's two stores?
        before = write_offset
        write_offset, event_count, start_timestamp = HEADER.unpack(os.pread(fd, HEADER.size, 0))
        if write_offset <= before:
            break
        reached = walk_from(fd, *reached[:3], write_offset, progress)
    behind = 0
    if reached[3] is None and event_count > reached[1]:
        size = os.fstat(fd).st_size
        behind = walk_from(fd, *reached[:3], size, lambda _events, _bytes: None)[1] - reached[1]
    return Walked(write_offset, event_count, start_timestamp, size, *reached, behind)


def walk_from(
    fd: int, position: int, sequence: int, timestamp: int, end: int, progress: Progress
) -> tuple[int, int, int, str | None]:
    """Walk the entries from a place up to `end`. The place reached, the time of the entry before it, and why
    that is not the end."""
    piece = PIECE
    while position < end:
        data = read_at(fd, position, min(piece, end - position))
        before = position, sequence
        position, sequence, timestamp, found = _core.walk_memory(data, position, sequence, timestamp, end)
        progress(sequence - before[1], position - before[0])
        if found in WHY:
            return position, sequence, timestamp, WHY[found]
        if position > before[0]:
            piece = PIECE
        elif len(data) < min(piece, end - position):
            return position, sequence, timestamp, CUT
        else:  # one entry that is larger than the piece
            piece = min(2 * piece, LARGEST)
    return position, sequence, timestamp, None


def read_at(fd: int, position: int, size: int) -> bytearray:
    """Up to `size` bytes; fewer where the file ends."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size and (count := os.preadv(fd, [view[got:]], position + got)):
        got += count
    view.release()
    del data[got:]
    return data


def verify_file(path: str, progress: Progress) -> Report:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        walked = walk(fd, progress)
    finally:
        os.close(fd)
    bad, why = (None, None) if walked.why is None else (walked.position, walked.why)
    if why and bad:
        why = f"sequence {walked.sequence}: {why}"
    if walked.count_is_wrong:
        bad, why = 0, f"the header: event_count is {walked.event_count}, there are {walked.sequence} events"
    return Report(path, "log", walked.sequence, max(0, walked.position - HEADER.size), bad, why)


def segments(path: str) -> list[str]:
    """The segments of a log in their order."""
    return sorted(name for name in os.listdir(path) if SEGMENT.fullmatch(name))


def verify_directory(path: str, progress: Progress) -> Report:
    """All segments. Gaps between them are no damage (a segment begins at a gap); overlaps are. What retention
    removes meanwhile is passed over."""
    whole = Report(path, "log", 0, 0, None, None)
    behind, stream, gaps = -1, b"", 0
    for name in segments(path):
        try:
            found = verify_file(os.path.join(path, name), progress)
            with open(os.path.join(path, name), "rb") as file:
                start = file.read(HEADER.size)[16:]
        except FileNotFoundError:  # retention has removed it, and what comes next is the log's beginning
            stream = b""
            continue
        whole = replace(whole, events=whole.events + found.events, bytes=whole.bytes + found.bytes)
        first = int(name[:20])
        if not found.ok and whole.ok:
            whole = replace(whole, first_bad=found.first_bad, why=f"{name}: {found.why}")
        if start == stream and first < behind and whole.ok:
            why = f"{name}: the segment before goes to sequence {behind - 1}"
            whole = replace(whole, first_bad=0, why=why)
        gaps += start == stream and first > behind
        behind, stream = first + found.events, start
    if gaps:
        whole = replace(whole, notes=(f"{gaps} gap{'s' * (gaps > 1)} between segments",))
    return whole
