"""The segment of a log that is being written: its file and file lock, its memory, its room, its index."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from ringlog import _core, durability
from ringlog.errors import WriterBusy
from ringlog.log import index, recovery
from ringlog.log.segments import START, SegmentFile, unnamed
from ringlog.verify_log import HEADER

SPARING = 64 << 10  # bytes at a time where the disk is nearly full


def hold(fd: int, path: str) -> None:
    """Keep other writers, and repair, out of what this descriptor leads to. Raises WriterBusy."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WriterBusy(f"{path}: somebody else has this log open for writing") from None


def release(fd: int) -> None:
    """Let go of the lock, and of the descriptor. Also if a forked child still has a copy: it may be slow."""
    if fd >= 0:
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def leave(fd: int) -> None:
    """Let go of the descriptor, and leave the lock to whoever else has it: a forked child's parent."""
    if fd >= 0:
        os.close(fd)


class OpenSegment:
    """One file, from its header to the end of what is written; behind that, room.

    stream: the start_timestamp of its header. memory: the native segment, another one when the room in it did
    not do. recovered: what was cut off at its end when it was opened, in words. Whoever makes one closes it.
    """

    fd = _lock = -1

    def __init__(self, file: SegmentFile, path: str, flags: int, mode: int, *, durable: bool) -> None:
        """Open the file by a path that it has now, and take its lock."""
        self.file = file
        self.stream = 0
        self.memory: _core.Segment
        self.recovered = ""
        self._durable = durable
        self._index: index.Index
        self._allocated = 0
        self.failed = False  # a sync has
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | flags, mode)
        # A lock lasts as long as any copy of its descriptor, or a mapping made with it, and a forked child
        # has both. So it has a description of its own, which nothing is mapped with.
        try:
            self._lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            if not os.path.sameopenfile(self.fd, self._lock):
                raise WriterBusy(f"{path}: somebody else is about this file")
            hold(self._lock, file.path)
        except BaseException:
            self.close()
            raise

    @classmethod
    def found(cls, file: SegmentFile, limit: int, *, durable: bool) -> OpenSegment:
        """Go on behind the last event of a segment that is there. What stands behind that is cut off.

        Raises WriterBusy, NotARing, CorruptStream (damage before the end), OSError.
        """
        self = cls(file, file.path, 0, 0, durable=durable)
        try:
            end = recovery.find_end(self.fd, file)
            if end.stale:
                end.index.save(file.index_path, os.fstat(self.fd).st_mode, durable=True)
            if end.events_behind:
                recovery.keep_aside(self.fd, file, end.position)
            self._begin(end.index)
            self._map(max(limit, 2 * end.position), end.position, end.sequence, end.timestamp)
            os.ftruncate(self.fd, end.position)
            self._allocated = end.position
            self.memory.allow(end.position)
            self.memory.publish(end.position, end.sequence, end.timestamp)
            if end.report or end.stale:  # or another crash could show it in place of what comes there now
                os.fsync(self.fd)
                self._index.synced = end.position
            self.vouch()
        except BaseException:
            self.close()
            raise
        self.recovered = end.report
        if end.events_behind:
            self.recovered += f"; it is kept in {recovery.aside(file, end.position)}"
        return self

    @classmethod
    def made(
        cls, file: SegmentFile, stream: int, timestamp: int, limit: int, mode: int, *, durable: bool
    ) -> OpenSegment:
        """A new segment, with a name only once it has its header, and all that may fail is done.

        Raises FileExistsError, OSError, ValueError.
        """
        temporary = unnamed(file.path)
        try:
            self = cls(file, temporary, os.O_CREAT | os.O_EXCL, mode, durable=durable)
            try:
                os.fchmod(self.fd, mode)
                os.write(self.fd, HEADER.pack(START, 0, stream))
                os.fsync(self.fd)  # whatever `sync` is: without its header it is no log
                self._begin(index.Index(stream, file.first))
                self._map(limit, START, file.first, timestamp)
                if os.path.exists(file.path):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), file.path)
                index.discard(file.index_path)  # of one that had this name before
                os.link(temporary, file.path)
            except BaseException:
                self.close()
                raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        if durable:
            try:
                durability.sync_name(file.path)
            except BaseException:
                self.close()
                raise
        return self

    def _begin(self, known: index.Index) -> None:
        self.stream = known.stream
        self._index = known

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

    def make_room(self, need: int, wanted: int) -> None:
        """Make the file as long as wanted, with blocks of the disk; if that is nearly full, as need be.

        The memory may be another one then. Raises OSError.
        """
        for size in (wanted, min(wanted, need + SPARING), need):
            if size <= self._allocated or self._allocate(size, last=size == need):
                break
        if need <= self.memory.mapped:
            self.memory.allow(self._allocated)
        else:
            self._index.add(self.memory.marks())
            self._map(2 * need, *self.head())

    def _allocate(self, size: int, *, last: bool) -> bool:
        more = size - self._allocated
        try:
            os.posix_fallocate(self.fd, self._allocated, more)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if last:
                why = f"{os.strerror(error.errno)}: {more} bytes more for the log"
                raise OSError(error.errno, why, self.file.path) from None
            return False
        self._allocated = size
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
        self._index.save(self.file.index_path, os.fstat(self.fd).st_mode, durable=True)

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
            mode = os.fstat(self.fd).st_mode
            self._index.save(self.file.index_path, mode, durable=self._index.synced > START)

    def be_of(self, stream: int) -> None:
        """An empty segment becomes another stream's. Raises OSError."""
        os.pwrite(self.fd, stream.to_bytes(8, "little"), HEADER.size - 8)
        os.fsync(self.fd)
        self._begin(index.Index(stream, self.file.first))

    def close(self) -> None:
        """Let go of the file and of its lock; closing twice does nothing."""
        lock, self._lock = self._lock, -1
        release(lock)
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close  # of one that nobody has, since a signal's exception came before it was noted

    def leave_lock(self) -> None:
        """In a forked child."""
        lock, self._lock = self._lock, -1
        leave(lock)
