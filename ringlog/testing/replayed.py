"""A recording played to a reader under test, one event at a time, by the test and by no clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ringlog._core import Event
from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
from ringlog.log.segments import files_of, read_header
from ringlog.places import Start
from ringlog.testing.lapping import drop_window
from ringlog.testing.rings import SMALL, TemporaryRing

LARGEST = 1 << 28


class Replay(TemporaryRing):
    """A ring in which a recording's events appear when the test says so: made by `replayed`.

    Each event has the data and the timestamp that were recorded; sequences are the ring's own, from 0 on.
    Only `step`, `rest`, `overrun`, `end` and iteration publish anything, and they return when it can be read.
    """

    missing: int  # events that the log itself has lost, passed over so far

    def __init__(self, log: StrPath, *, start: Start, capacity: int, fallback: Path | None) -> None:
        self.missing = 0
        self._log = LogReader(log, start=start)
        try:
            super().__init__(capacity, fallback=fallback)
            self._writer = self.writer(timeout=0)
        except BaseException:
            self._log.close()
            raise
        self._next: Event | None = None  # read from the log, and refused by the ring

    def step(self, count: int = 1) -> list[Event]:
        """Publish the next `count` events and return them, as they stand in the ring. Fewer: that was the
        end.

        Never blocks. Raises RingFull if a lossless reader has not made room; what was published before that
        can be read, and the next call goes on behind it. And what reading the log raises, CorruptStream say.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"count must be an int, 0 or more, not {count!r}")
        published: list[Event] = []
        while len(published) < count and (event := self._upcoming()) is not None:
            sequence = self._writer.append(event.data, timestamp=event.timestamp)
            self._next = None
            published.append(Event(sequence, event.timestamp, event.data))
        return published

    def rest(self) -> list[Event]:
        """Publish all that is left, and return it. Raises as `step`."""
        published: list[Event] = []
        while more := self.step():
            published += more
        return published

    def overrun(self, count: int = 1) -> range:
        """Publish the next `count` events and let them be lost, with all that is still unread: lossy readers
        get one exact `Overrun` at their next read, and then the event after these.

        Returns the sequences that are gone, the oldest one that could have been read first. Empty: nothing
        was there, and the recording is over. Never blocks. Raises RingFull if a lossless reader is behind
        (those are never lapped; the events are published then and can be read), and as `step`.
        """
        self.step(count)
        seen = self.info()
        drop_window(self._writer)
        return range(seen.tail_count, seen.event_count)

    def end(self) -> None:
        """End the stream: readers stop after the last event that was published. Nothing can be published
        then."""
        self._writer.end()

    def __iter__(self) -> Iterator[Event]:
        """Publish an event, then yield it, until the recording is over."""
        while published := self.step():
            yield published[0]

    def close(self) -> None:
        """As TemporaryRing.close; the log is closed too."""
        self._log.close()
        super().close()

    def _upcoming(self) -> Event | None:
        while self._next is None:
            try:
                self._next = self._log.poll()
            except Overrun as lost:
                self.missing += lost.count
                continue
            except StreamEnded:
                return None
        return self._next


def replayed(
    log: StrPath, *, start: Start = "oldest", capacity: int | None = None, fallback: Path | None = None
) -> Replay:
    """A recording for a reader under test: a `Replay`, in which events appear one by one, when the test says
    so.

        with replayed("crash.log") as replay, replay.reader() as reader:
            replay.step(3)          # three events are there, with the times of the recording
            consume(reader)
            replay.overrun(10)      # ten more came too fast
            with pytest.raises(ringlog.Overrun): ...
            replay.rest()

    log: what `ringlog.record` or a LogWriter wrote, a directory or one file. start: where to begin, as for a
    LogReader. capacity: of the ring; by default the whole recording fits (up to 256 MiB), so that nobody is
    lapped but by `overrun`. fallback: as for TemporaryRing. Nothing looks at the clock or waits: two runs
    publish the same events in the same order.

    Raises what opening a LogReader raises (FileNotFoundError, NotARing, CorruptStream), ValueError (capacity)
    and OSError (no space). Timestamps more than an hour ahead of the clock, of a machine whose clock was
    wrong, are a ValueError from `step`.
    """
    if capacity is None:
        capacity = min(max(SMALL, 1 << (2 * _size(log)).bit_length()), LARGEST)
    return Replay(log, start=start, capacity=capacity, fallback=fallback)


def _size(log: StrPath) -> int:
    """Bytes of events; a file itself may be longer, by what its writer has allocated ahead."""
    total = 0
    for file in files_of(os.path.abspath(os.fspath(log))).now():
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            total += read_header(fd, file.path).write_offset
        finally:
            os.close(fd)
    return total
