"""LogWriter: opening, growing, rolling and closing. The hot methods are inherited from the native core."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
import warnings
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from ringlog import _core, durability
from ringlog.errors import ClosedError, CorruptStream, EventTooLarge, RingRemoved, WriterBusy
from ringlog.files import StrPath
from ringlog.log import index, recovery, retention
from ringlog.log.segments import START, Files, SegmentFile, files_of
from ringlog.verify_log import HEADER

if TYPE_CHECKING:
    from typing_extensions import Self

SMALLEST_STEP, LARGEST_STEP = 1 << 20, 64 << 20  # bytes by which a file grows
ROOM = 1 << 30  # bytes of address space for a file that never ends
_open_ones: weakref.WeakSet[LogWriter] = weakref.WeakSet()


class LogWriter(_core.LogWriter):
    """The writing end of a log.

    path: a directory of segments, made if missing; or one stream file, if it is one or its name ends in
    ".events". segment_bytes: a directory's segment is at most so large, unless one append alone is larger.
    sync: "none" leaves the disk to the kernel; "always" has every append on disk before it returns; a number
    of seconds syncs that often. keep_bytes, keep_age (seconds), keep_segments: retention. Whenever a segment
    begins, the oldest ones go until what is left is within all that are given; the last one always stays.

    One writer at a time. What a killed writer left unfinished is cut off here, and `recovered` says so in
    words ("" if nothing was). Use it as a context manager. Threads may share one: they take turns. A forked
    child must open its own: using the parent's raises ClosedError. Files are made longer before they are
    written to, and cut to their length by close(): a killed writer leaves zeros at the end.

    Raises FileNotFoundError (the directory that the log is to be in), NotARing (something else stands there),
    WriterBusy (another LogWriter has it open, or repair is about it), CorruptStream (damage before its end),
    OSError (no space, no permission), ValueError (a bad argument, or sync on a file system in memory).
    """

    def __init__(
        self,
        path: StrPath,
        *,
        segment_bytes: int = 1 << 30,
        sync: Literal["none", "always"] | float = "none",
        keep_bytes: int | None = None,
        keep_age: float | None = None,
        keep_segments: int | None = None,
    ) -> None:
        if isinstance(segment_bytes, bool) or not isinstance(segment_bytes, int):
            raise TypeError(f"segment_bytes must be an int, not {type(segment_bytes).__name__}")
        if segment_bytes <= START:
            raise ValueError(f"segment_bytes must be over {START}, not {segment_bytes}")
        self._keep = retention.Keep(keep_bytes, keep_age, keep_segments)
        self._interval = durability.sync_interval(sync)
        self._always = sync == "always"
        self._path = os.path.abspath(os.fspath(path))
        self._limit = segment_bytes
        self._begins = self.__dict__.get("_begins", (0, 0))  # a new log: sequence and stream; a recording's
        self._pid = os.getpid()
        self._syncer: durability.Syncer | None = None
        self._fds: list[int] = []  # those that hold file locks
        self.recovered = ""
        try:
            self._open()
            if self._interval:
                self._syncer = durability.Syncer(self._interval, self)
        except BaseException:
            self._let_go()
            raise
        _open_ones.add(self)

    # ---- opening ----

    def _open(self) -> None:
        made = self._make_directory()
        self._files = files_of(self._path) if made or os.path.exists(self._path) else None
        if self._files is None:
            self._files = Files(self._path, single=True)
            self._begin(self._files.now()[0], self._begins[1] or time.time_ns(), 0)
            return
        if self._files.single:
            self._go_on(self._files.now()[0])
            return
        self._hold(os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        if there := self._files.now():
            self._go_on(there[-1])
        else:
            self._begin(self._files.name(self._begins[0]), self._begins[1] or time.time_ns(), 0)

    def _make_directory(self) -> bool:
        if self._path.endswith(".events"):
            return False
        try:
            os.mkdir(self._path)
        except FileExistsError:
            return False
        if self._interval is not None:
            durability.sync_name(self._path)
        return True

    def _hold(self, fd: int) -> None:
        """Keep other writers, and repair, out of what this descriptor leads to."""
        self._fds.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriterBusy(f"{self._path}: somebody else has this log open for writing") from None

    def _go_on(self, file: SegmentFile) -> None:
        """Behind the last event of a segment that is there."""
        fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        self._hold(fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise CorruptStream(f"{file.path}: not a regular file")
        end = recovery.find_end(fd, file)
        self.recovered = end.report
        os.ftruncate(fd, end.position)
        self._stream = end.header.start_timestamp
        self._index = end.index
        self._file, self._fd = file, fd
        self._attach(end.position, end.sequence, end.timestamp)
        self._segment.publish(end.position, end.sequence, end.timestamp)

    def _begin(self, file: SegmentFile, stream: int, timestamp: int) -> None:
        """A new segment, with a name only once it has its header."""
        folder = os.path.dirname(file.path)
        temporary = os.path.join(folder, f".{os.path.basename(file.path)}.{secrets.token_hex(8)}")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            self._hold(fd)
            os.write(fd, HEADER.pack(START, 0, stream))
            if self._interval is not None:
                os.fsync(fd)
            os.link(temporary, file.path)
        except BaseException:
            self._fds.remove(fd)
            os.close(fd)
            raise
        finally:
            os.unlink(temporary)
        if self._interval is not None:
            durability.sync_name(file.path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.index_path)  # of one that had this name before
        self._stream = stream
        self._index = index.Index(stream, file.first)
        self._file, self._fd = file, fd
        self._attach(START, file.first, timestamp)

    def _attach(self, position: int, sequence: int, timestamp: int) -> None:
        """Map the open file, with room to grow, and write there."""
        limit = ROOM if self._files is None or self._files.single else self._limit
        size = max(limit, 2 * position)
        segment = _core.Segment(self._fd, _core.MAP_WRITE, size, self._file.first)
        if self._interval is not None and segment.in_memory:
            raise ValueError(f"{self._path}: sync on a file system in memory can keep nothing")
        segment.place(position, sequence, timestamp)
        self._allocated = os.fstat(self._fd).st_size
        segment.allow(self._allocated)
        self._segment = segment
        self._exchange(segment, self._always)

    # ---- what the native half asks ----

    def _grow(self, more: int) -> None:
        """Make room for so many bytes: in this file, or in the next."""
        position, sequence, timestamp = self._segment.head()
        assert self._files is not None
        if not self._files.single and position > START and position + more > self._limit:
            self._roll(sequence, timestamp)
            position = START
        need = position + more
        if need > self._segment.mapped:
            self._index.add(self._segment.marks())
            self._map_more(need, *self._segment.head())
        step = min(max(SMALLEST_STEP, need // 4), LARGEST_STEP)
        most = need if self._files.single else max(self._limit, need)
        size = max(need, min(most, need + step)) if not self._files.single else need + step
        if size > self._allocated:
            os.posix_fallocate(self._fd, self._allocated, size - self._allocated)
            self._allocated = size
        self._segment.allow(self._allocated)
        self._refresh()

    def _map_more(self, need: int, position: int, sequence: int, timestamp: int) -> None:
        segment = _core.Segment(self._fd, _core.MAP_WRITE, 2 * need, self._file.first)
        segment.place(position, sequence, timestamp)
        segment.allow(self._allocated)
        self._segment = segment
        self._exchange(segment, self._always)

    def _roll(self, sequence: int, timestamp: int) -> None:
        """The next segment. The one before is finished first: readers that see the next know it is."""
        assert self._files is not None
        fd = self._fd
        self._finish()
        self._segment.allow(self._allocated)  # should the next one not come to be
        self._refresh()
        self._begin(self._files.name(sequence), self._stream, timestamp)
        self._fds.remove(fd)
        os.close(fd)
        retention.apply(self._files, self._keep)

    def _finish(self) -> None:
        """The open segment is whole: on disk, if that is wanted, without the space behind it, and indexed."""
        position = self._segment.head()[0]
        if self._interval is not None:
            self._segment.sync(START, position)
        os.ftruncate(self._fd, position)
        self._allocated = position
        self._save_index(position if self._interval is not None else START)

    def _save_index(self, synced: int) -> None:
        self._index.add(self._segment.marks())
        self._index.boot = index.boot_id()
        self._index.synced = max(self._index.synced, synced)
        with contextlib.suppress(OSError):  # it can be made again
            self._index.save(self._file.index_path)

    def _unusable(self) -> None:
        if self._state == "forked":
            raise ClosedError(
                f"this LogWriter belongs to process {self._pid}, which forked this one: open another here"
            )
        raise ClosedError("this LogWriter is closed")

    def _removed(self) -> None:
        raise RingRemoved(f"{self._file.path}: the segment was removed while it was being written")

    def _broken(self) -> None:
        raise OSError(
            errno.EIO, "a page of the log could not be written, or the file was cut", self._file.path
        )

    def _corrupt(self) -> None:
        raise CorruptStream(f"{self._file.path}: the end of the log is not where it was")

    def _session_lost(self) -> None:
        self._corrupt()

    def _too_large(self, size: int, limit: int, batch: bool) -> None:
        what = "a batch with its 16-byte entries" if batch else "an event"
        raise EventTooLarge(f"{what} can have {limit} bytes in a log, not {size}")

    def _busy_thread(self) -> None:
        raise WriterBusy("another thread is writing with this LogWriter")

    def _reentered(self) -> None:
        raise WriterBusy("this thread is inside another call of this LogWriter")

    # ---- the rest of the API ----

    @property
    def path(self) -> str:
        """The log's path, absolute."""
        return self._path

    @property
    def sequence(self) -> int:
        """Sequence of the next event to write. Raises ClosedError."""
        if self._state != "open":
            self._unusable()
        return self._segment.head()[1]

    def sync(self) -> None:
        """What was appended before is on disk, and will be found after a crash of the machine.

        Blocks for the disk. Raises ValueError on a file system in memory, OSError if the disk fails,
        ClosedError.
        """
        if self._state != "open":
            self._unusable()
        if self._segment.in_memory:
            raise ValueError(f"{self._path}: sync on a file system in memory can keep nothing")
        if self._syncer is not None:
            self._syncer.raise_error()
        self._sync_now()

    def close(self) -> None:
        """Let go of the log; closing twice does nothing. With `sync` set it syncs first."""
        if self.__dict__.get("_segment") is None:
            return
        if self._state == "forked":
            self._detach()
            self._segment = None  # type: ignore[assignment]
            return
        self._detach()
        try:
            if self._syncer is not None:
                self._syncer.stop()
            self._finish()
            if self._syncer is not None:
                self._syncer.raise_error()
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self.__dict__.get("_segment") is not None:
            if self._state == "open":
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            with contextlib.suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"<ringlog.LogWriter {self._path!r} {self._state}>"

    # ---- inside ----

    def _head(self) -> int:
        return self._segment.head()[0]

    def _sync_now(self) -> None:
        self._with_lock(self._commit)

    def _commit(self) -> None:
        position = self._segment.head()[0]
        self._segment.sync(min(self._index.synced, position), position)
        self._index.synced = position

    def _jump(self, sequence: int, stream: int) -> None:
        """Go on with a new segment: behind a gap, or in another stream. Under the lock."""
        timestamp = self._segment.head()[2] if stream == self._stream else 0
        self._stream = stream
        self._roll(sequence, timestamp)

    def _let_go(self) -> None:
        self._segment = None  # type: ignore[assignment]
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def _after_fork_in_child() -> None:
    """A file lock lasts as long as any copy of its descriptor: the parent's writers keep theirs."""
    for writer in list(_open_ones):
        for fd in writer._fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        writer._fds.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
