"""Events of a log."""

from __future__ import annotations

import asyncio
import contextlib
import time

from ringlog.bridge.message import Stream
from ringlog.bridge.sources.source import LOOK, Run, take_run, until
from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
from ringlog.places import Start

MEASURED = 1.0  # seconds between two looks at how far a log goes
PLENTY = 1 << 40  # bytes: more than a message takes


class LogSource:
    """A log, as far as it goes, or as it grows."""

    knows_end = False

    def __init__(self, path: StrPath, start: Start, *, follow: bool) -> None:
        self.lags = follow
        self._path = path
        self._reader = LogReader(path, start=start, follow=follow)
        self._head = 0
        self._measured = -MEASURED

    @property
    def stream(self) -> Stream | None:
        if not self._reader._stream:  # nothing was in it when we looked
            with contextlib.suppress(StreamEnded, Overrun):
                self._reader.seek(self._reader.sequence)
        return Stream("", self._reader._stream) if self._reader._stream else None

    @property
    def sequence(self) -> int:
        return self._reader.sequence

    def head(self) -> int:
        if time.monotonic() - self._measured >= MEASURED:
            with LogReader(self._path, start="latest") as end:
                self._head = end.sequence
            self._measured = time.monotonic()
        return max(self._head, self.sequence)

    def backlog(self) -> int:
        return PLENTY  # who reads a log is in no hurry

    def take(self, limit: int) -> Run | None:
        return take_run(self._reader, limit)

    def seek(self, sequence: int) -> None:
        self._reader.seek(sequence)

    def finish(self, run: Run) -> None:
        pass

    async def wait(self, woken: asyncio.Event, timeout: float) -> None:
        await until(woken, min(timeout, LOOK))

    def close(self) -> None:
        self._reader.close()
