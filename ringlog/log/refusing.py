"""What a LogWriter says when its native half can't do what it was asked."""

from __future__ import annotations

import errno

from ringlog import _core
from ringlog.errors import ClosedError, CorruptStream, EventTooLarge, RingRemoved, WriterBusy
from ringlog.log.open_segment import OpenSegment


class Refusing(_core.LogWriter):
    """The native half asks by these names; each raises."""

    _segment: OpenSegment = None  # type: ignore[assignment]  # until there is one, and when it is closed
    _pid: int

    def _unusable(self) -> None:
        if self._state == "forked":
            raise ClosedError(
                f"this LogWriter belongs to process {self._pid}, which forked this one: open another here"
            )
        raise ClosedError("this LogWriter is closed")

    def _removed(self) -> None:
        raise RingRemoved(f"{self._segment.file.path}: the segment was removed while it was being written")

    def _broken(self) -> None:
        raise OSError(
            errno.EIO, "a page of the log could not be written, or the file was cut", self._segment.file.path
        )

    def _corrupt(self) -> None:
        raise CorruptStream(f"{self._segment.file.path}: the end of the log is not where it was")

    def _session_lost(self) -> None:
        self._corrupt()

    def _too_large(self, size: int, limit: int, batch: bool) -> None:
        what = "a batch with its 16-byte entries" if batch else "an event"
        raise EventTooLarge(f"{what} can have {limit} bytes in a log, not {size}")

    def _busy_thread(self) -> None:
        raise WriterBusy("another thread is writing with this LogWriter")

    def _reentered(self) -> None:
        raise WriterBusy("this thread is inside another call of this LogWriter")
