"""Events of a ring, and of the log that it is recorded into where the ring has lost them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from ringlog.bridge.message import Stream
from ringlog.bridge.sources.log import PLENTY
from ringlog.bridge.sources.ring import RingSource
from ringlog.bridge.sources.source import LOOK, Run, take_run, until
from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
from ringlog.places import Start

PATIENCE = 2.0  # seconds for a recorder to write down what the ring has lost already


class RingAndLog:
    """The ring by a lossy reader; what it has passed is taken from the log. Nobody waits for us."""

    lags = False
    knows_end = True

    def __init__(self, ring: StrPath, log: StrPath, start: Start) -> None:
        if not os.path.exists(log):
            raise FileNotFoundError(2, os.strerror(2), os.fspath(log))
        self._log = log
        self._past: LogReader | None = None
        self._lost: Overrun | None = None  # by the ring, and not found in the log yet
        self._deadline = 0.0
        self._live = RingSource(ring, None, "oldest" if start == "oldest" else start)
        self.stream: Stream | None = self._live.stream
        self._ring = ring
        try:
            if start == "oldest":
                self._begin()
        except BaseException:
            self._live.close()
            raise

    def _begin(self) -> None:
        """The oldest event of both may be the log's."""
        past = LogReader(self._log, start="oldest")
        if past._stream and past.sequence < self._live.sequence:
            self._use(past)
        else:
            past.close()

    def _use(self, past: LogReader) -> None:
        if self.stream is not None and past._stream != self.stream.start:
            past.close()
            raise ValueError(f"{self._log} is not a log of {self._ring}: they hold different streams")
        if self._past is not None:
            self._past.close()
        self._past = past

    @property
    def sequence(self) -> int:
        if self._lost is not None:
            return self._lost.first
        return self._past.sequence if self._past is not None else self._live.sequence

    def head(self) -> int:
        return self._live.head()

    def backlog(self) -> int:
        return PLENTY if self._past is not None else self._live.backlog()

    def take(self, limit: int) -> Run | None:
        if self._lost is not None and not self._found():
            return None
        if self._past is not None:
            with contextlib.suppress(StreamEnded):
                if (run := take_run(self._past, limit)) is not None:
                    return run
            self._go_live(self._past.sequence)
        try:
            return self._live.take(limit)
        except Overrun as lost:
            self._lost, self._deadline = lost, time.monotonic() + PATIENCE
            return None

    def _go_live(self, sequence: int) -> None:
        """The log is read: what comes next is in the ring, or will be, unless it has passed it already."""
        self._live.seek(sequence)
        assert self._past is not None
        self._past.close()
        self._past = None

    def _found(self) -> bool:
        """Is what the ring has lost in the log by now? Raises Overrun if it will never be."""
        lost = self._lost
        assert lost is not None
        with contextlib.suppress(ValueError):  # beyond its end
            past = LogReader(self._log, start=lost.first)
            if past.sequence <= lost.last and past._has_more():
                self._lost = None
                self._use(past)
                return True
            past.close()
        if time.monotonic() > self._deadline:
            self._lost = None
            raise lost  # the ring's reader stands behind it
        return False

    def seek(self, sequence: int) -> None:
        self._live.seek(sequence)
        if self._past is not None:
            self._past.close()
        self._past = self._lost = None

    def finish(self, run: Run) -> None:
        pass

    async def wait(self, woken: asyncio.Event, timeout: float) -> None:
        if self._lost is not None:
            await until(woken, min(timeout, LOOK))
        else:
            await self._live.wait(woken, timeout)

    def close(self) -> None:
        self._live.close()
        if self._past is not None:
            self._past.close()
