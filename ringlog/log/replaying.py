"""Replaying: a log's events into a ring again, at their own pace, a faster one, or none."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ringlog._core import Event
from ringlog.batch import Batch
from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
from ringlog.places import Start
from ringlog.writer import Writer

AT_ONCE = 4096  # events read, and where there is no pace to keep, appended together
LONGEST = 0.1  # seconds asleep at a time, so that Ctrl-C is heard
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Replayed:
    """What was replayed: events, and how many of the log's were missing in between."""

    events: int
    missing: int


def replay(
    log: StrPath,
    writer: Writer,
    *,
    speed: float | None = 1.0,
    start: Start = "oldest",
    count: int | None = None,
    keep_times: bool = False,
    progress: Progress | None = None,
) -> Replayed:
    """Append a log's events to a ring, until the log ends.

    speed: 1.0 at the intervals at which they were published, 10.0 ten times as fast; None: as fast as the
    ring's readers allow. count: at most so many. keep_times: with the times that they had, which only a
    ring takes whose last event is not newer; otherwise the clock's. progress: called with the events and
    bytes of each step.

    Blocks for as long as that takes. Gaps in the log are passed over, and counted. Raises what opening a
    LogReader and appending raise, ValueError (speed, count; a time before that of the ring's last event).
    """
    if speed is not None and not speed > 0:
        raise ValueError(f"speed must be over 0, not {speed}")
    if count is not None and count < 0:
        raise ValueError(f"count must be 0 or more, not {count}")
    with LogReader(log, start=start) as reader:
        return _Replay(reader, writer, speed, keep_times, progress or (lambda _events, _bytes: None)).run(
            count
        )


class _Replay:
    def __init__(
        self, reader: LogReader, writer: Writer, speed: float | None, keep_times: bool, tell: Progress
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._speed = speed
        self._keep_times = keep_times
        self._tell = tell
        self._began: tuple[int, float] | None = None  # the first event's time, and when it was replayed

    def run(self, count: int | None) -> Replayed:
        done = missing = 0
        while count is None or done < count:
            try:
                limit = AT_ONCE if count is None else min(AT_ONCE, count - done)
                if self._speed is None and not self._keep_times:
                    done += self._pass_on(self._reader.read_batch(limit))
                    continue
                events = self._reader.read_many(limit)
            except Overrun as lost:
                missing += lost.count
                continue
            except StreamEnded:
                break
            self._append(events)
            done += len(events)
        return Replayed(done, missing)

    def _pass_on(self, batch: Batch) -> int:
        """Columns, without an object an event."""
        size = memoryview(batch.data).nbytes + 16 * len(batch)
        if size > self._largest():
            self._publish(list(batch))
        elif len(batch):
            self._writer._append_batch(batch)
            self._tell(len(batch), size)
        return len(batch)

    def _append(self, events: list[Event]) -> None:
        for event in events:
            self._wait_for(event)
            self._publish([event])

    def _publish(self, events: list[Event]) -> None:
        """As one batch if the ring takes it, else one by one."""
        stamp = events[0].timestamp if self._keep_times else None
        half = len(events) // 2
        if half and sum(len(event.data) + 16 for event in events) > self._largest():
            self._publish(events[:half])
            self._publish(events[half:])
            return
        if len(events) == 1:
            self._writer.append(events[0].data, timestamp=stamp)
        else:
            self._writer.append_many([event.data for event in events], timestamp=stamp)
        self._tell(len(events), sum(len(event.data) + 16 for event in events))

    def _largest(self) -> int:
        return self._writer._mapping.snapshot()["capacity"] // 4

    def _wait_for(self, event: Event) -> None:
        if self._speed is None:
            return
        if self._began is None:
            self._began = event.timestamp, time.monotonic()
        first, began = self._began
        due = began + (event.timestamp - first) / 1e9 / self._speed
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST))
