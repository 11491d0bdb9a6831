"""The sidecar index of a segment: where one event in each 16 KiB begins.

Only an accelerator. One that is missing, damaged, or of another segment is not believed, and made again by
walking over the entries. Beside the points it says up to where the segment is known to be whole, and since
which start of the machine: what a writer that opens the log need not check again.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import os
import struct
import zlib
from array import array
from dataclasses import dataclass, field

from ringlog import _core, durability, lock
from ringlog.log.segments import FURTHEST, START, SegmentFile, unnamed

MAGIC = b"ringlog index 1\n"
HEAD = struct.Struct("<16sIIqq16sq")  # magic, checksum of what follows, points, stream, first, boot, synced
POINT = 3  # numbers a point: position, sequence, timestamp of the event before it
MARK = 4  # numbers a native mark: those three and a zero
STRIDE = 16 << 10
FOREVER = (1 << 63) - 1

Point = tuple[int, int, int]


@dataclass
class Index:
    """Points of one segment, ascending; whole up to the last of them."""

    stream: int  # start_timestamp
    first: int
    boot: bytes = b""
    synced: int = START  # position before which everything is on disk
    _positions: array[int] = field(default_factory=lambda: array("q"))
    _sequences: array[int] = field(default_factory=lambda: array("q"))
    _timestamps: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def last(self) -> Point:
        """Where the last point stands, and the time of the event before it."""
        return self._point(len(self))

    def _point(self, count: int) -> Point:
        if not count:
            return START, self.first, 0
        return self._positions[count - 1], self._sequences[count - 1], self._timestamps[count - 1]

    def add(self, marks: bytes) -> None:
        """Points that a segment has marked: those that are further on than the last one."""
        numbers = array("q", marks)
        positions = numbers[0::MARK]
        new = bisect.bisect_right(positions, self.last[0])
        self._positions += positions[new:]
        self._sequences += numbers[1::MARK][new:]
        self._timestamps += numbers[2::MARK][new:]

    def before(
        self, *, position: int = FOREVER, sequence: int = FOREVER, time: int = FOREVER
    ) -> tuple[int, int]:
        """Position and sequence of the last point from which all three goals are still ahead."""
        at = min(
            bisect.bisect_right(self._positions, position),
            bisect.bisect_right(self._sequences, sequence),
            bisect.bisect_left(self._timestamps, time),
        )
        return self._point(at)[:2]

    def cut(self, position: int) -> None:
        """Forget what lies behind a position."""
        at = bisect.bisect_right(self._positions, position)
        del self._positions[at:], self._sequences[at:], self._timestamps[at:]
        self.synced = min(self.synced, position)

    def save(self, path: str, mode: int, *, durable: bool = False) -> None:
        """In place of the one that is there, whole or not at all, for whom the segment is; with durable on
        disk. Raises OSError."""
        numbers = array("q", bytes(8 * POINT * len(self)))
        numbers[0::POINT], numbers[1::POINT], numbers[2::POINT] = (
            self._positions,
            self._sequences,
            self._timestamps,
        )
        points = numbers.tobytes()
        rest = HEAD.pack(MAGIC, 0, len(self), self.stream, self.first, self.boot or bytes(16), self.synced)
        body = rest[20:] + points
        if not _may_replace(path):
            raise FileExistsError(errno.EEXIST, "somebody else's file has the name of the index", path)
        temporary = unnamed(path)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                os.fchmod(fd, mode & 0o666)
                os.write(fd, MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
                if durable:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, path)
            if durable:
                durability.sync_name(path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def brief(segment: SegmentFile, stream: int) -> Index:
    """As `load`, but without its points, and without looking whether they are whole.

    One that tells of a sync was on disk itself before it got its name.
    """
    empty = Index(stream, segment.first)
    try:
        fd = os.open(segment.index_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return empty
    try:
        raw = os.read(fd, HEAD.size)
    finally:
        os.close(fd)
    if len(raw) < HEAD.size:
        return empty
    magic, _, _, of_stream, first, boot, synced = HEAD.unpack(raw)
    if magic != MAGIC or (of_stream, first) != (stream, segment.first):
        return empty
    return Index(stream, first, boot, synced)


def load(segment: SegmentFile, stream: int) -> Index:
    """The index of a segment of this stream; an empty one if there is none that can be believed."""
    empty = Index(stream, segment.first)
    try:
        fd = os.open(segment.index_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            raw = file.read()
    except OSError:
        return empty
    if len(raw) < HEAD.size or zlib.crc32(raw[20:]) != int.from_bytes(raw[16:20], "little"):
        return empty
    magic, _, count, of_stream, first, boot, synced = HEAD.unpack_from(raw)
    numbers = array("q", raw[HEAD.size :]) if len(raw) == HEAD.size + 8 * POINT * count else array("q")
    if magic != MAGIC or (of_stream, first) != (stream, segment.first) or len(numbers) != POINT * count:
        return empty
    if count and not (START < numbers[-3] < FURTHEST and segment.first <= numbers[-2] < FURTHEST):
        return empty
    if boot == bytes(len(boot)):  # made by a reader, which knows nothing of the disk
        boot = b""
    return Index(stream, first, boot, synced, numbers[0::POINT], numbers[1::POINT], numbers[2::POINT])


def complete(index: Index, segment: _core.Segment, end: int) -> bool:
    """Look over what it does not cover yet, up to about `end`. False if something there is no entry."""
    position, sequence, _ = index.last
    if end - position <= STRIDE:
        return True
    whole = segment.survey(position, sequence, end)
    index.add(segment.marks())
    return whole


def _may_replace(path: str) -> bool:
    """Is it an index, or nothing? Beside one file alone, of whatever name, it may be anybody's."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) in (MAGIC, b"", bytes(len(MAGIC)))  # cut off by a crash, perhaps
    except FileNotFoundError:
        return True


def discard(path: str) -> None:
    """Remove an index that no longer fits its segment; no crash brings it back. Raises OSError."""
    if not _may_replace(path):
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    durability.sync_name(path)


def boot_id() -> bytes:
    return lock.boot_id()


def same_boot(known: Index) -> bool:
    """Was it saved under this start of the machine? No, if the kernel doesn't tell which one it is."""
    now = boot_id()
    return known.boot == now and any(now)
