"""Events of a ring."""

from __future__ import annotations

import asyncio

from ringlog.bridge.message import Stream
from ringlog.bridge.sources.source import Run, take_run, until
from ringlog.files import StrPath
from ringlog.places import Start
from ringlog.reader import Reader


class RingSource:
    """The ring, by a named reader for which its writer waits; or by a lossy one (name None)."""

    lags = False
    knows_end = True

    def __init__(self, path: StrPath, name: str | None, start: Start) -> None:
        self._reader = Reader(path, start=start, name=name)
        self._named = name is not None
        if self._named:
            self._reader._hold()
        seen = self._reader._mapping.snapshot()
        self.stream: Stream | None = Stream(seen["stream_id"].hex(), seen["start_timestamp"])

    @property
    def sequence(self) -> int:
        return self._reader.sequence

    def head(self) -> int:
        return self._reader._mapping.snapshot()["event_count"]

    def backlog(self) -> int:
        return self._reader._mapping.snapshot()["write_offset"] - self._reader.position

    def take(self, limit: int) -> Run | None:
        return take_run(self._reader, limit)

    def seek(self, sequence: int) -> None:
        self._reader.seek(sequence)

    def finish(self, run: Run) -> None:
        if self._named:
            self._reader._finish_to(run.position, run.next)

    async def wait(self, woken: asyncio.Event, timeout: float) -> None:
        loop, fd = asyncio.get_running_loop(), self._reader.fileno()
        loop.add_reader(fd, woken.set)
        try:
            await until(woken, timeout)
        finally:
            loop.remove_reader(fd)

    def close(self) -> None:
        self._reader.close()
