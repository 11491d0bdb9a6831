"""Which segment a LogReader has, and having another."""

from __future__ import annotations

import os
from typing import NamedTuple

from ringlog import _core
from ringlog.batch import Batch
from ringlog.errors import StreamTruncated
from ringlog.log.segments import START, SegmentFile, read_header
from ringlog.verify_log import HEADER

ROOM = 1 << 26  # bytes of address space at least: files grow while they are read
EMPTY = HEADER.pack(START, 0, 0)


class Attached(NamedTuple):
    """The segment that is read, its file (None: there is none yet), the stream it says it is of."""

    segment: _core.Segment | None
    file: SegmentFile | None
    stream: int


class AttachedReader(_core.LogReader):
    """What a LogReader knows of the segment that the native half reads."""

    _verify: bool

    def _begin(self) -> None:
        self._attached = self._coming = Attached(None, None, 0)

    def _now(self) -> Attached:
        """What the native half has: a signal's exception may come between telling it and noting it here."""
        if self._coming.segment is self._current:
            self._attached = self._coming
        return self._attached

    @property
    def _segment(self) -> _core.Segment | None:
        return self._now().segment

    @property
    def _file(self) -> SegmentFile | None:
        return self._now().file

    @property
    def _stream(self) -> int:
        return self._now().stream

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
        self._have(Attached(segment, file, header.start_timestamp), position, sequence, lost_from, not_before)

    def _have(
        self, attached: Attached, position: int, sequence: int, lost_from: int, not_before: int
    ) -> None:
        assert attached.segment is not None
        self._coming = attached
        self._exchange(attached.segment, position, sequence, lost_from, not_before, self._verify, Batch)

    def _map_more(self, position: int, sequence: int, not_before: int) -> None:
        """The same file, which has grown; it may have no name any more."""
        segment, file, stream = self._now()
        assert segment is not None
        more = _core.Segment(
            segment.fd, _core.MAP_READ, max(ROOM, 2 * segment.file_size()), file.first if file else 0
        )
        self._have(Attached(more, file, stream), position, sequence, -1, not_before)

    def _use(self, file: SegmentFile) -> None:
        """Have this segment, as it is if it is the one that is attached."""
        if file != self._file or self._segment is None or not self._segment.named():
            self._attach(file, START, file.first)

    def _attach_nothing(self, not_before: int) -> None:
        """An empty stream, until there is a segment."""
        fd = os.memfd_create("ringlog", os.MFD_CLOEXEC)
        try:
            os.write(fd, EMPTY)
            nothing = _core.Segment(fd, _core.MAP_READ, START, 0)
        finally:
            os.close(fd)
        self._have(Attached(nothing, None, 0), START, 0, -1, not_before)

    def _stand(self, position: int, sequence: int, *, not_before: int = 0) -> None:
        self._have(self._now(), position, sequence, -1, not_before)
