"""LogWriter: opening, growing, rolling and closing. The hot methods are inherited from the native core."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from ringlog import durability
from ringlog.files import StrPath
from ringlog.log import retention, settling
from ringlog.log.index import discard
from ringlog.log.open_segment import OpenSegment, hold, leave, release
from ringlog.log.refusing import Refusing
from ringlog.log.segments import START, Files, files_of, sweep

if TYPE_CHECKING:
    from typing_extensions import Self

SMALLEST_STEP, LARGEST_STEP = 1 << 20, 64 << 20  # bytes by which a file grows
ROOM = 1 << 30  # bytes of address space for a file that never ends
_open_ones: weakref.WeakSet[LogWriter] = weakref.WeakSet()


class LogWriter(Refusing):
    """The writing end of a log.

    path: a directory of segments, made if missing; or one stream file, if it is one or its name ends in
    ".events". segment_bytes: a directory's segment is at most so large, unless one append alone is larger.
    sync: "none" leaves the disk to the kernel; "always" has every append on disk before it returns; a number
    of seconds syncs that often. keep_bytes, keep_age (seconds), keep_segments: retention. Whenever a segment
    begins, the oldest ones go until what is left is within all that are given; the last one always stays.
    mode: permissions of what is made; a directory can be searched by whom its files can be read by.

    One writer at a time. What a killed writer left unfinished is cut off here. So is, after a crash of the
    machine, what was not synced and lies behind a page that is missing; if there may be whole events in it, a
    file `<sequence>.lost-<position>` beside the segment keeps it. An earlier segment with a missing page ends
    in front of it, and readers are told of the gap (Overrun). `recovered` says what was done, in words (""
    if nothing was).

    Use it as a context manager. Threads may share one: they take turns. A forked child must open its own:
    using the parent's raises ClosedError. Files are made longer before they are written to, and cut to their
    length by close(): a killed writer leaves zeros at the end.

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
        mode: int = 0o600,
    ) -> None:
        if isinstance(segment_bytes, bool) or not isinstance(segment_bytes, int):
            raise TypeError(f"segment_bytes must be an int, not {type(segment_bytes).__name__}")
        if segment_bytes <= START:
            raise ValueError(f"segment_bytes must be over {START}, not {segment_bytes}")
        self._keep = retention.Keep(keep_bytes, keep_age, keep_segments)
        self._interval = durability.sync_interval(sync)
        self._always = sync == "always"
        self._durable = self._interval is not None
        self._path = os.path.abspath(os.fspath(path))
        self._limit = segment_bytes
        self._mode = mode & 0o666
        self._begins = self.__dict__.get("_begins", (0, 0))  # a new log: sequence and stream; a recording's
        self._pid = os.getpid()
        self._syncer: durability.Syncer | None = None
        self._directory = -1  # holds a file lock, as the segment's descriptor does
        self._settled = -1  # first sequence of a segment: what lies before it is on disk, with all names
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
        there = made or os.path.exists(self._path)
        self._files = files_of(self._path) if there else Files(self._path, single=True)
        if not self._files.single:
            self._directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            hold(self._directory, self._path)
        sweep(self._files)  # before the last segment is touched: one of these may be another name of it
        if there and (files := self._files.now()):
            limit = ROOM if self._files.single else self._limit
            mended = settling.mend(files)
            self._go_on(OpenSegment.found(files[-1], limit, durable=self._durable))
            self.recovered = "; ".join(filter(None, (*mended, self._segment.recovered)))
            if self._durable:
                self._sync_all()
        else:
            sequence, stream = self._begins
            self._begin(sequence, stream or time.time_ns(), 0)

    def _make_directory(self) -> bool:
        if self._path.endswith(".events"):
            return False
        try:
            os.mkdir(self._path, 0o700)
        except FileExistsError:
            return False
        os.chmod(self._path, 0o700 | self._mode | (self._mode & 0o444) >> 2)
        if self._durable:
            durability.sync_name(self._path)
        return True

    def _begin(self, sequence: int, stream: int, timestamp: int) -> None:
        """A new segment."""
        single = self._files.single
        file = self._files.now()[0] if single else self._files.name(sequence)
        limit = ROOM if single else self._limit
        try:
            self._go_on(OpenSegment.made(file, stream, timestamp, limit, self._mode, durable=self._durable))
        except FileExistsError:
            if single or self._segment is None:
                raise
            # The directory's lock is ours: a roll of our own had come so far. Readers may know the file.
            left = OpenSegment.found(file, limit, durable=self._durable)
            if left.head()[0] > START or left.stream != stream:
                left.close()
                raise
            left.memory.place(START, sequence, timestamp)
            if self._durable:
                durability.sync_name(file.path)
            self._go_on(left)

    def _go_on(self, segment: OpenSegment) -> None:
        # In this order: whenever it ends here, what is appended next asks for room first, and gets it there.
        before, self._segment = self._segment, segment
        try:
            self._exchange(segment.memory, self._always)
        finally:
            if before is not None:
                segment.failed = segment.failed or before.failed
                before.close()

    # ---- what the native half asks ----

    def _grow(self, more: int) -> None:
        """Make room for so many bytes: in this file, or in the next."""
        position, sequence, timestamp = self._segment.head()
        if not self._files.single and position > START and position + more > self._limit:
            self._roll(sequence, self._segment.stream, timestamp)
            position = START
        need = position + more
        size = need + min(max(SMALLEST_STEP, need // 4), LARGEST_STEP)
        if not self._files.single:
            size = max(need, min(self._limit, size))
        self._segment.make_room(need, size)
        self._exchange(self._segment.memory, self._always)

    def _roll(self, sequence: int, stream: int, timestamp: int) -> None:
        """The next segment. The one before is finished first: readers that see the next know it is."""
        done = self._segment
        done.finish()
        self._exchange(
            done.memory, self._always
        )  # there is no room in it any more, should no next one come to be
        self._begin(sequence, stream, timestamp)
        retention.apply(self._files, self._keep)

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
        if self._segment.memory.in_memory:
            raise ValueError(f"{self._path}: sync on a file system in memory can keep nothing")
        if self._syncer is not None:
            self._syncer.raise_error()
        self._sync_now()

    def close(self) -> None:
        """Let go of the log; closing twice does nothing. With `sync` set it syncs first."""
        forked = self._segment is not None and self._state == "forked"
        if self._segment is not None:
            self._detach()
        segment: OpenSegment | None = self.__dict__.pop("_segment", None)  # one of the threads that close it
        if segment is None:
            return
        try:
            if not forked:
                self._finish(segment)
        finally:
            segment.close()
            self._let_go()

    def _finish(self, segment: OpenSegment) -> None:
        if self._syncer is not None:
            self._syncer.stop()
        segment.finish()
        if self._syncer is not None:
            self._syncer.raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._segment is not None:
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
        self._with_lock(self._sync_all)

    def _sync_all(self) -> None:
        """Also what was written before, by whomever, and the names: a later event is nothing without them."""
        current = self._segment.file
        if self._settled != current.first:
            try:
                settling.settle(self._files.now(), self._settled)
            except OSError:
                self._segment.failed = True
                raise
            self._settled = current.first
        self._segment.sync()

    def _is_empty(self) -> bool:
        """Is there no event in it, and was there none?"""
        return self._segment.head()[:2] == (START, 0) and len(self._files.now()) == 1

    def _be_of(self, stream: int) -> None:
        """An empty log becomes another stream's."""
        self._with_lock(lambda: self._segment.be_of(stream))

    def _jump(self, sequence: int, stream: int) -> None:
        """Go on with a new segment, behind a gap. Under the lock. Raises ValueError: one file has no gaps."""
        position, _, timestamp = self._segment.head()
        if self._files.single:
            raise ValueError(f"{self._path}: one file can't have a gap in front of sequence {sequence}")
        before = self._segment.file
        self._roll(sequence, stream, timestamp if stream == self._segment.stream else 0)
        if position == START:  # nothing was in it
            discard(before.index_path)
            os.unlink(before.path)

    def _let_go(self) -> None:
        if self._segment is not None:
            self._segment.close()
        directory, self._directory = self._directory, -1
        release(directory)

    def _leave_locks(self) -> None:
        if self._segment is not None:
            self._segment.leave_lock()
        directory, self._directory = self._directory, -1
        leave(directory)


def _after_fork_in_child() -> None:
    """A file lock lasts as long as any copy of its descriptor: the parent's writers keep theirs."""
    for writer in list(_open_ones):
        writer._leave_locks()


os.register_at_fork(after_in_child=_after_fork_in_child)
