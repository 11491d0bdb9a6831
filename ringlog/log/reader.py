"""LogReader: opening, going from segment to segment, and seeking. The hot methods are inherited."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType

from ringlog import _core
from ringlog.batch import Batch
from ringlog.errors import ClosedError, CorruptStream, NotARing, Overrun, StreamEnded, StreamTruncated
from ringlog.files import StrPath
from ringlog.log import index
from ringlog.log.segments import START, SegmentFile, files_of, first_timestamp, read_header
from ringlog.places import Start, check_start, unix_nanoseconds
from ringlog.verify_log import HEADER

NOTHING_NOW, LOOK_AGAIN, THE_END = 0, 1, 2
ROOM = 1 << 26  # bytes of address space at least: files grow while they are read
EMPTY = HEADER.pack(START, 0, 0)


class NotInLog(Overrun):
    """Events that the log does not have: retention has removed them, or they were never recorded."""

    def __str__(self) -> str:
        events = "event is" if self.count == 1 else "events are"
        return (
            f"{self.count} {events} not in the log: sequences {self.first} to {self.last}; "
            f"the oldest that is there from here on is {self.last + 1}"
        )


class LogReader(_core.LogReader):
    """The reading end of a log.

    path: a directory of segments, or one stream file. start: "oldest"; "latest", the next event to be
    written; a sequence (int); or a datetime, the first event not before it (naive is local time). follow:
    wait for events that are yet to be written, from segment to segment; otherwise the end of the log is
    StreamEnded, and iteration stops. verify: check each event's CRC-32.

    Needs read permission only, and holds nobody up. Seeking looks into the index beside a segment; one that
    is missing is made again, in memory, and beside the segment if that can be written. However large the
    files are, some 20 MiB of them are mapped in at a time. Events that retention has removed, or that a
    recording missed, raise Overrun, which says which; the reader then stands at the next one there. Use it
    as a context manager and iterate over it. Threads may share one: they take turns; a forked child may go
    on with it.

    Raises FileNotFoundError, PermissionError, NotARing (no log), CorruptStream, ValueError (a sequence beyond
    the next event; a bad argument).
    """

    def __init__(
        self, path: StrPath, *, start: Start = "oldest", follow: bool = False, verify: bool = True
    ) -> None:
        check_start(start)
        self._path = os.path.abspath(os.fspath(path))
        self._follow = follow
        self._verify = verify
        self._files = files_of(self._path)
        if not self._files.now() and not follow:
            raise NotARing(f"{self._path}: not a log: a directory without segments")
        self._file: SegmentFile | None = None
        self._segment: _core.Segment | None = None
        self._indexes: dict[int, index.Index] = {}
        self._go_to(start)

    # ---- places ----

    def _go_to(self, start: Start) -> None:
        there = self._files.now()
        if not there:
            if isinstance(start, int) and start > 0:
                raise ValueError(f"sequence {start} is beyond the next event, 0")
            self._attach_nothing()
        elif start == "oldest":
            self._attach(there[0], START, there[0].first)
        elif start == "latest":
            self._use(there[-1])
            self._stand(*self._place_of(sequence=index.FOREVER))
        elif isinstance(start, datetime):
            self._go_to_time(there, unix_nanoseconds(start))
        else:
            assert isinstance(start, int)
            self._go_to_sequence(there, start)

    def _go_to_sequence(self, there: list[SegmentFile], goal: int) -> None:
        if goal < there[0].first:
            self._attach(there[0], START, there[0].first, lost_from=goal)
            return
        low, high = 0, len(there)  # the last segment that does not begin behind it
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if there[middle].first <= goal else (low, middle)
        self._use(there[low])
        position, sequence = self._place_of(sequence=goal)
        if sequence == goal:
            self._stand(position, sequence)
        elif low + 1 < len(there):
            self._attach(there[low + 1], START, there[low + 1].first, lost_from=goal)  # in a gap
        else:
            raise ValueError(f"sequence {goal} is beyond the next event, {sequence}")

    def _go_to_time(self, there: list[SegmentFile], goal: int) -> None:
        low, high = 0, len(there)  # the last segment that does not begin at that time or behind it
        while high - low > 1:
            middle = (low + high) // 2
            begins = first_timestamp(there[middle].path)
            low, high = (middle, high) if begins is not None and begins < goal else (low, middle)
        self._use(there[low])
        # At its end: what comes next is not before it either, unless an empty segment has misled the search.
        self._stand(*self._place_of(time=goal), not_before=goal)

    def _place_of(self, *, sequence: int = index.FOREVER, time: int = index.FOREVER) -> tuple[int, int]:
        """In the segment that is attached: where the goal stands, or the segment's end."""
        assert self._segment is not None
        assert self._file is not None
        end = self._segment.end
        if end > self._segment.mapped:
            self._attach(self._file, START, self._file.first)
            end = self._segment.end
        known = self._index(end)
        start = known.before(sequence=sequence, time=time)
        position, found, _, whole = self._segment.walk(*start, sequence, time, index.FOREVER, end)
        if not whole:
            self._corrupt_at(position, found)
        return position, found

    def _index(self, end: int) -> index.Index:
        """The index of the segment that is attached, up to where a stride begins last."""
        assert self._segment is not None
        assert self._file is not None
        known = self._indexes.get(self._file.first)
        if known is None:
            known = index.load(self._file, self._stream)
            if known.last[0] > end:  # of a file that was cut since
                known = index.Index(self._stream, self._file.first)
            self._indexes[self._file.first] = known
        before = len(known)
        if not index.complete(known, self._segment, end):
            return known  # the walk of whoever asked finds what is wrong
        if len(known) > before and not known.boot:
            with contextlib.suppress(OSError):
                known.save(self._file.index_path)
        return known

    # ---- segments ----

    def _attach(
        self, file: SegmentFile, position: int, sequence: int, *, lost_from: int = -1, not_before: int = 0
    ) -> None:
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            header = read_header(fd, file.path)
            size = os.fstat(fd).st_size
            if size < header.write_offset:
                raise StreamTruncated(f"{file.path}: {size} of {header.write_offset} bytes are left")
            segment = _core.Segment(fd, _core.MAP_READ, max(ROOM, 2 * size), file.first)
        finally:
            os.close(fd)
        self._stream = header.start_timestamp
        self._file, self._segment = file, segment
        self._exchange(segment, position, sequence, lost_from, not_before, self._verify, Batch)

    def _use(self, file: SegmentFile) -> None:
        """Have this segment, as it is if it is the one that is attached."""
        if file != self._file or self._segment is None or not self._segment.named():
            self._attach(file, START, file.first)

    def _attach_nothing(self) -> None:
        """An empty stream, until there is a segment."""
        fd = os.memfd_create("ringlog", os.MFD_CLOEXEC)
        try:
            os.write(fd, EMPTY)
            self._segment = _core.Segment(fd, _core.MAP_READ, START, 0)
        finally:
            os.close(fd)
        self._stream = 0
        self._file = None
        self._exchange(self._segment, START, 0, -1, 0, self._verify, Batch)

    def _stand(self, position: int, sequence: int, *, not_before: int = 0) -> None:
        assert self._segment is not None
        self._exchange(self._segment, position, sequence, -1, not_before, self._verify, Batch)

    # ---- what the native half asks ----

    def _at_end(self) -> int:
        """All that is mapped was read. With the turn."""
        segment, file = self._segment, self._file
        assert segment is not None
        position, sequence = self.position, self.sequence
        following = self._next(file)
        end = segment.end  # behind the listing: a segment that has a next one does not grow
        if end < position:
            raise StreamTruncated(f"{self._path}: the log was cut: it ends at {end}, before {position}")
        if end > position:
            if end > segment.mapped:
                assert file is not None
                self._attach(file, position, sequence, not_before=-1)
            return LOOK_AGAIN
        if following is not None:
            if following.first < sequence:
                raise CorruptStream(f"{following.path}: the segment before goes to sequence {sequence - 1}")
            gap = sequence if file is not None and following.first > sequence else -1
            with contextlib.suppress(FileNotFoundError):  # retention was faster: look again
                self._attach(following, START, following.first, lost_from=gap, not_before=-1)
            return LOOK_AGAIN
        return NOTHING_NOW if self._follow else THE_END

    def _next(self, file: SegmentFile | None) -> SegmentFile | None:
        try:
            there = self._files.now()
        except FileNotFoundError:
            return None
        if file is None:
            return there[0] if there else None
        if not there or there[-1].first <= file.first:
            return None
        return next(each for each in there if each.first > file.first)

    def _overrun(self, first: int, last: int) -> Overrun:
        return NotInLog(first, last)

    def _broken(self) -> None:
        raise StreamTruncated(f"{self._path}: the log was cut while it was read, or its disk fails")

    def _corrupt(self, why: str = "the entry is damaged") -> None:
        raise CorruptStream(
            f"{self._file.path if self._file else self._path}: at position {self.position}, "
            f"sequence {self.sequence}: {why}"
        )

    def _corrupt_at(self, position: int, sequence: int) -> None:
        assert self._file is not None
        raise CorruptStream(f"{self._file.path}: at position {position}, sequence {sequence}: no entry")

    def _ended(self) -> None:
        raise StreamEnded(f"{self._path}: the end of the log")

    def _unusable(self) -> None:
        raise ClosedError("this LogReader is closed")

    # ---- the rest of the API ----

    def seek(self, start: Start) -> None:
        """Go to another place: as `start` of the constructor.

        Raises ValueError (a sequence beyond the next event), CorruptStream, ClosedError. A sequence that
        is gone raises Overrun at the next read.
        """
        check_start(start)
        if self._state != "open":
            self._unusable()
        self._with_turn(self._go_to, start)

    @property
    def file(self) -> str:
        """The segment that it reads, a path; the log's own while there is none."""
        return self._file.path if self._file else self._path

    @property
    def oldest(self) -> int:
        """Sequence with which the log begins by now."""
        there = self._files.now()
        return there[0].first if there else 0

    def _has_more(self) -> bool:
        """Is there an event now that was not read? Without reading it."""
        return self._segment is not None and (
            self._segment.end > self.position or self._next(self._file) is not None
        )

    def close(self) -> None:
        """Let go of the log; closing twice does nothing. A read that waits in another thread raises
        ClosedError."""
        self._detach()
        self._segment = None

    def __iter__(self) -> Iterator[_core.Event]:
        return self

    def __enter__(self) -> LogReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self.__dict__.get("_segment") is not None and self._state == "open":
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            with contextlib.suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"<ringlog.LogReader {self._path!r} at {self.sequence} {self._state}>"
