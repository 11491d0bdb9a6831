"""The segment of a log that is being written: its file and file lock, its memory, its room, its index."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

from ringlog import _core, durability
from ringlog.errors import CorruptStream, WriterBusy
from ringlog.log import index, recovery
from ringlog.log.segments import START, SegmentFile, unnamed
from ringlog.verify_log import HEADER


def hold(fd: int, path: str) -> None:
    """Keep other writers, and repair, out of what this descriptor leads to. Raises WriterBusy."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WriterBusy(f"{path}: somebody else has this log open for writing") from None


class OpenSegment:
    """One file, from its header to the end of what is written; behind that, room.

    stream: the start_timestamp of its header. memory: the native segment, another one when the room in it did
    not do. recovered: what was cut off at its end when it was opened, in words. Whoever makes one closes it.
    """

    def __init__(self, file: SegmentFile, fd: int, known: index.Index, *, durable: bool) -> None:
        self.file = file
        self.fd = fd
        self.stream = known.stream
        self.memory: _core.Segment
        self.recovered = ""
        self._index = known
        self._durable = durable
        self._allocated = 0
        self.failed = False  # a sync has

    @classmethod
    def found(cls, file: SegmentFile, limit: int, *, durable: bool) -> OpenSegment:
        """Go on behind the last event of a segment that is there. What stands behind that is cut off.

        Raises WriterBusy, NotARing, CorruptStream (damage before the end), OSError.
        """
        fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            hold(fd, file.path)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise CorruptStream(f"{file.path}: not a regular file")
            end = recovery.find_end(fd, file)
            if end.stale:
                end.index.save(file.index_path, durable=True)
            if end.events_behind:
                recovery.keep_aside(fd, file, end.position)
            os.ftruncate(fd, end.position)
            segment = cls(file, fd, end.index, durable=durable)
            segment._map(max(limit, 2 * end.position), end.position, end.sequence, end.timestamp)
        except BaseException:
            os.close(fd)
            raise
        if end.events_behind:
            segment.recovered = f"{end.report}; it is kept in {recovery.aside(file, end.position)}"
        else:
            segment.recovered = end.report
        try:
            segment.memory.publish(end.position, end.sequence, end.timestamp)
            if (
                end.report or end.stale
            ):  # or else another crash could show it in place of what comes there now
                os.fsync(fd)
                segment._index.synced = end.position
            segment.vouch()
        except BaseException:
            segment.close()
            raise
        return segment

    @classmethod
    def made(
        cls, file: SegmentFile, stream: int, timestamp: int, limit: int, *, durable: bool
    ) -> OpenSegment:
        """A new segment, with a name only once it has its header. Raises OSError, ValueError."""
        temporary = unnamed(file.path)
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            try:
                hold(fd, file.path)
                os.write(fd, HEADER.pack(START, 0, stream))
                os.fsync(fd)  # whatever `sync` is: without its header it is no log
                index.discard(file.index_path)  # of one that had this name before
                segment = cls(file, fd, index.Index(stream, file.first), durable=durable)
                segment._map(limit, START, file.first, timestamp)
                os.link(temporary, file.path)
            finally:
                os.unlink(temporary)
            if durable:
                durability.sync_name(file.path)
        except BaseException:
            os.close(fd)
            raise
        return segment

    def _map(self, size: int, position: int, sequence: int, timestamp: int) -> None:
        memory = _core.Segment(self.fd, _core.MAP_WRITE, size, self.file.first)
        if self._durable and memory.in_memory:
            raise ValueError(f"{self.file.path}: sync on a file system in memory can keep nothing")
        memory.place(position, sequence, timestamp)
        self._allocated = os.fstat(self.fd).st_size
        memory.allow(self._allocated)
        self.memory = memory

    def head(self) -> tuple[int, int, int]:
        """Position and sequence of the next event, timestamp of the last one."""
        return self.memory.head()

    def make_room(self, size: int) -> bool:
        """Make the file so long, with blocks of the disk. Is the memory another one now? Raises OSError."""
        if size > self._allocated:
            os.posix_fallocate(self.fd, self._allocated, size - self._allocated)
            self._allocated = size
        if size <= self.memory.mapped:
            self.memory.allow(self._allocated)
            return False
        self._index.add(self.memory.marks())
        self._map(2 * size, *self.head())
        return True

    def sync(self) -> None:
        """What is written is on disk. Raises OSError."""
        self._sync_from(self._index.synced)
        self.vouch()

    def _sync_from(self, start: int) -> None:
        """The kernel tells of a failed write once and takes its pages for clean: nothing counts then."""
        position = self.head()[0]
        if self.failed:
            raise OSError(errno.EIO, "an earlier sync failed: open the log again", self.file.path)
        try:
            self.memory.sync(min(start, position), position)
        except OSError:
            self.failed = True
            raise
        self._index.synced = position

    def vouch(self) -> None:
        """An empty event at the end may look as half of another one: then the index says what it is, on disk.

        Raises OSError.
        """
        position = self.head()[0]
        if self.memory.in_memory or not recovery.looks_half(self.fd, position):
            return
        if self._index.synced < position:
            self._sync_from(self._index.synced)
        self._index.add(self.memory.marks())
        self._index.save(self.file.index_path, durable=True)

    def finish(self) -> None:
        """It is whole: without room behind it, indexed, and on disk if that is wanted. Raises OSError."""
        position = self.head()[0]
        if self._durable:
            self._sync_from(START)
            self.vouch()
        os.ftruncate(self.fd, position)
        self._allocated = position
        self.memory.allow(position)
        self._index.add(self.memory.marks())
        self._index.boot = index.boot_id()
        with contextlib.suppress(OSError):  # it can be made again
            self._index.save(self.file.index_path, durable=self._index.synced > START)

    def close(self) -> None:
        """Let go of the file and of its lock; closing twice does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
