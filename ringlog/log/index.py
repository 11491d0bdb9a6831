"""The sidecar index of a segment: where one event in each 256 KiB begins.

Only an accelerator. One that is missing, damaged, or of another segment is not believed, and made again by
walking over the entries. Beside the points it says up to where the segment is known to be whole, and since
which start of the machine: what a writer that opens the log need not check again.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import struct
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from ringlog import _core, lock
from ringlog.log.segments import START, SegmentFile, unnamed

MAGIC = b"ringlog index 1\n"
HEAD = struct.Struct("<16sIIqq16sq")  # magic, checksum of what follows, points, stream, first, boot, synced
POINT = 3  # numbers a point: position, sequence, timestamp of the event before it
STRIDE = 256 << 10
FOREVER = (1 << 63) - 1

Point = tuple[int, int, int]


@dataclass
class Index:
    """Points of one segment, ascending; whole up to the last of them."""

    stream: int  # start_timestamp
    first: int
    boot: bytes = b""
    synced: int = START  # position before which everything is on disk
    _positions: list[int] = field(default_factory=list)
    _sequences: list[int] = field(default_factory=list)
    _timestamps: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def last(self) -> Point:
        if not self._positions:
            return START, self.first, 0
        return self._positions[-1], self._sequences[-1], self._timestamps[-1]

    def add(self, points: Iterable[Point]) -> None:
        """Those that are further on than the last one."""
        for position, sequence, timestamp in points:
            if position > self.last[0]:
                self._positions.append(position)
                self._sequences.append(sequence)
                self._timestamps.append(timestamp)

    def before(self, *, position: int = FOREVER, sequence: int = FOREVER, time: int = FOREVER) -> Point:
        """The last point from which all three goals are still ahead."""
        at = min(
            bisect.bisect_right(self._positions, position),
            bisect.bisect_right(self._sequences, sequence),
            bisect.bisect_left(self._timestamps, time),
        )
        if at == 0:
            return START, self.first, 0
        return self._positions[at - 1], self._sequences[at - 1], self._timestamps[at - 1]

    def cut(self, position: int) -> None:
        """Forget what lies behind a position."""
        at = bisect.bisect_right(self._positions, position)
        del self._positions[at:], self._sequences[at:], self._timestamps[at:]
        self.synced = min(self.synced, position)

    def save(self, path: str) -> None:
        """In place of the one that is there, whole or not at all. Raises OSError."""
        columns = zip(self._positions, self._sequences, self._timestamps, strict=True)
        points = array("q", [number for point in columns for number in point]).tobytes()
        rest = HEAD.pack(MAGIC, 0, len(self), self.stream, self.first, self.boot or bytes(16), self.synced)
        body = rest[20:] + points
        temporary = unnamed(path)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                os.write(fd, MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
            finally:
                os.close(fd)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def load(segment: SegmentFile, stream: int) -> Index:
    """The index of a segment of this stream; an empty one if there is none that can be believed."""
    empty = Index(stream, segment.first)
    try:
        with open(segment.index_path, "rb") as file:
            raw = file.read()
    except OSError:
        return empty
    if len(raw) < HEAD.size or zlib.crc32(raw[20:]) != int.from_bytes(raw[16:20], "little"):
        return empty
    magic, _, count, of_stream, first, boot, synced = HEAD.unpack_from(raw)
    numbers = array("q", raw[HEAD.size :]) if len(raw) == HEAD.size + 8 * POINT * count else array("q")
    if magic != MAGIC or (of_stream, first) != (stream, segment.first) or len(numbers) != POINT * count:
        return empty
    found = Index(stream, first, boot, synced)
    found.add(zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True))
    return found


def complete(index: Index, segment: _core.Segment, end: int) -> bool:
    """Walk over what it does not cover yet, up to `end`. False if something there is no entry."""
    position, sequence, timestamp = index.last
    while position < end:
        stop = (position - START) // STRIDE * STRIDE + STRIDE + START
        position, sequence, timestamp, whole = segment.walk(
            position, sequence, timestamp, FOREVER, FOREVER, stop, end
        )
        if not whole:
            return False
        if position >= stop:
            index.add([(position, sequence, timestamp)])
    return True


def boot_id() -> bytes:
    return lock.boot_id()
