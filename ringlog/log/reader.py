"""LogReader: opening, going from segment to segment, and seeking. The hot methods are inherited."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType

from ringlog import _core
from ringlog.errors import (
    ClosedError,
    CorruptStream,
    NotARing,
    Overrun,
    RingRemoved,
    StreamEnded,
    StreamTruncated,
)
from ringlog.files import StrPath
from ringlog.log import index
from ringlog.log.attached import AttachedReader
from ringlog.log.segments import FURTHEST, START, SegmentFile, files_of, first_timestamp
from ringlog.places import Start, check_start, unix_nanoseconds

RETRIES = 20  # of listing a log anew
NAME_INTERVAL = 0.5  # seconds
NOTHING_NOW, LOOK_AGAIN, THE_END = 0, 1, 2


class NotInLog(Overrun):
    """Events that the log does not have: retention has removed them, or they were never recorded."""

    def __str__(self) -> str:
        events = "event is" if self.count == 1 else "events are"
        return (
            f"{self.count} {events} not in the log: sequences {self.first} to {self.last}; "
            f"the oldest that is there from here on is {self.last + 1}"
        )


class LogReader(AttachedReader):
    """The reading end of a log.

    path: a directory of segments, or one stream file. start: "oldest"; "latest", the next event to be
    written; a sequence (int); or a datetime, the first event not before it (naive is local time). follow:
    wait for events that are yet to be written, from segment to segment; otherwise the end of the log is
    StreamEnded, and iteration stops. verify: check each event's CRC-32.

    Needs read permission only, and holds nobody up. Seeking looks into the index beside a segment; one that
    is missing is made again, in memory, and beside the segment if that can be written. However large the
    files are, some 20 MiB of them are mapped in at a time. Events that retention has removed, or that a
    recording missed, raise Overrun, which says which; the reader then stands at the next one there. Following
    a log that is removed raises RingRemoved within a second. Use it as a context manager and iterate over
    it. Threads may share one: they take turns; a forked child may go on with it.

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
        self._begin()
        self._indexes: dict[int, index.Index] = {}
        self._looked = 0.0  # when the segment's name was looked for last
        try:
            self._go_to(start)
        except BaseException:
            self.close()
            raise

    # ---- places ----

    def _go_to(self, start: Start) -> None:
        """Retention may remove what has just been listed."""
        for _ in range(RETRIES):
            with contextlib.suppress(FileNotFoundError):
                return self._go_once(start)
            self._files.forget()
        return self._go_once(start)

    def _seek(self, start: Start) -> None:
        """Go there, or stay."""
        before, position, sequence = self._now(), self.position, self.sequence
        lost_from, not_before = self._lost_from, self._not_before
        try:
            self._go_to(start)
        except BaseException:
            self._have(before, position, sequence, lost_from, not_before)
            raise

    def _go_once(self, start: Start) -> None:
        there = self._files.now()
        if not there:
            if isinstance(start, int) and start > 0:
                raise ValueError(f"sequence {start} is beyond the next event, 0")
            self._attach_nothing(unix_nanoseconds(start) if isinstance(start, datetime) else 0)
        elif isinstance(start, int) and start >= FURTHEST:
            raise ValueError(f"sequence {start} is beyond the next event")
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
            self._map_more(START, self._file.first, not_before=0)
        known = self._index(end)
        start = known.before(sequence=sequence, time=time)
        position, found, whole = self._segment.walk(*start, sequence, time, end)
        if not whole:
            self._corrupt_at(position, found)
        return position, found

    def _index(self, end: int) -> index.Index:
        """The index of the segment that is attached, up to where a stride begins last."""
        assert self._segment is not None
        assert self._file is not None
        known = self._indexes.get(self._file.first)
        if known is None or known.stream != self._stream or known.last[0] > end:  # or of a log made again
            known = index.load(self._file, self._stream)
            if known.last[0] > end:  # of a file that was cut since
                known = index.Index(self._stream, self._file.first)
            self._indexes[self._file.first] = known
        before = len(known)
        if not index.complete(known, self._segment, end):
            return known  # the walk of whoever asked finds what is wrong
        if len(known) > before and not known.boot:
            with contextlib.suppress(OSError):
                known.save(self._file.index_path, os.fstat(self._segment.fd).st_mode)
        return known

    # ---- what the native half asks ----

    def _at_end(self) -> int:
        """All that is mapped was read. With the turn."""
        segment, file, stream = self._now()
        assert segment is not None
        position, sequence = self.position, self.sequence
        following = self._next(file)
        end = segment.end  # behind the listing: a segment that has a next one does not grow
        if end < position:
            raise StreamTruncated(f"{self._path}: the log was cut: it ends at {end}, before {position}")
        if end > position:
            if end > segment.mapped:
                self._map_more(position, sequence, not_before=-1)
            return LOOK_AGAIN
        if following is not None:
            if following.first < sequence:
                raise CorruptStream(f"{following.path}: the segment before goes to sequence {sequence - 1}")
            gap = sequence if file is not None and following.first > sequence else -1
            with contextlib.suppress(FileNotFoundError):  # retention was faster: look again
                self._attach(following, START, following.first, lost_from=gap, not_before=-1)
                if file is not None and self._stream != stream:
                    raise CorruptStream(f"{following.path}: of another stream than the segment before")
            return LOOK_AGAIN
        if not self._follow:
            return THE_END
        self._check_name()
        return NOTHING_NOW

    def _check_name(self) -> None:
        """Now and then: what has no name any more does not grow any more, either."""
        now = time.monotonic()
        if now - self._looked < NAME_INTERVAL:
            return
        self._looked = now
        segment, file, _ = self._now()
        if file is None:
            gone = not os.path.exists(self._path)
        else:
            gone = segment is not None and not segment.named() and self._next(file) is None
        if gone:
            raise RingRemoved(f"{self._path}: the log was removed")

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
        """Go to another place: as `start` of the constructor. If it raises, the reader stays where it was.

        Raises ValueError (a sequence beyond the next event), CorruptStream, ClosedError. A sequence that
        is gone raises Overrun at the next read.
        """
        check_start(start)
        if self._state != "open":
            self._unusable()
        self._with_turn(self._seek, start)

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

    def __iter__(self) -> Iterator[_core.Event]:
        return self

    def __enter__(self) -> LogReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if "_coming" in self.__dict__ and self._state == "open":
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            with contextlib.suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"<ringlog.LogReader {self._path!r} at {self.sequence} {self._state}>"
