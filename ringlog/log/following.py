"""`ringlog.follow`: a log's events, and then the ring's, as one stream."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType

from ringlog._core import Event
from ringlog.describe import info
from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
from ringlog.places import Start
from ringlog.reader import Reader

PATIENCE = 2.0  # seconds for a recorder to write down what the ring has lost already
STEP = 0.002


class Following(Iterator[Event]):
    """The events of a log, then those of its ring, each once and in order.

    Where this reader is slower than the ring, it goes back to the log. An event that neither has any more
    (the recorder has missed it, or is gone) raises Overrun, and iteration may go on behind it. Blocks while
    there is nothing; ends when the ring's stream has ended. close() lets go of both; so does leaving a
    `with` block.
    """

    def __init__(self, log: StrPath, ring: StrPath, start: Start) -> None:
        self._log, self._ring = log, ring
        self._past: LogReader | None = LogReader(log, start=start)
        self._live: Reader | None = None
        self._next = self._past.sequence

    def __next__(self) -> Event:
        while True:
            event = self._from_log() if self._past is not None else self._from_ring()
            if event is not None:
                self._next = event.sequence + 1
                return event

    def _from_log(self) -> Event | None:
        assert self._past is not None
        try:
            event = self._past.poll()
        except Overrun as lost:
            self._next = lost.last + 1
            raise
        except StreamEnded:
            event = None
        if event is None:
            self._next = self._past.sequence
            self._go_live()
        return event

    def _go_live(self) -> None:
        """The log is read: what comes next is in the ring, or will be, unless it has passed it already."""
        assert self._past is not None
        if info(self._ring).start_timestamp != self._past._stream:
            raise ValueError(f"{self._log} is not a log of {self._ring}: they hold different streams")
        live = Reader(self._ring, start=self._next)
        self._past.close()
        self._past, self._live = None, live

    def _from_ring(self) -> Event | None:
        if self._live is None:
            raise StopIteration
        try:
            return self._live.read()
        except StreamEnded:
            self.close()  # nobody has to: a `for` over what was never named has no way to
            raise StopIteration from None
        except Overrun as lost:
            past = self._recorded(lost)
            self._live.close()
            self._past, self._live = past, None
            return None

    def _recorded(self, lost: Overrun) -> LogReader:
        """The log, at the first event of the lost ones that it has: as soon as it is there."""
        assert self._live is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if (past := self._in_log(lost)) is not None:
                    return past
            except BaseException:
                self._live.seek(lost.first)  # so that it is told again, or found
                raise
            if time.monotonic() > deadline:
                self._next = lost.last + 1
                raise lost
            time.sleep(STEP)

    def _in_log(self, lost: Overrun) -> LogReader | None:
        with contextlib.suppress(ValueError):  # beyond its end
            past = LogReader(self._log, start=lost.first)
            if past.sequence <= lost.last and past._has_more():
                return past  # behind a gap, it tells of that itself
            past.close()
        return None

    def close(self) -> None:
        """Let go of the log and the ring; closing twice does nothing."""
        for reader in (self._past, self._live):
            if reader is not None:
                reader.close()
        self._past = self._live = None

    def __enter__(self) -> Following:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def follow(log: StrPath, ring: StrPath, *, start: Start = "oldest") -> Following:
    """Iterate over a log and then, without a gap or a duplicate, over the ring that is recorded into it.

    start: where in the log, as LogReader's. Raises what opening a LogReader raises; iteration raises Overrun,
    CorruptStream, and ValueError (the log is not of this ring).
    """
    return Following(log, ring, start)
