"""What push asks of a source, and what it takes from it: runs of events."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Protocol

from ringlog.bridge.message import Stream
from ringlog.log.reader import LogReader
from ringlog.reader import Reader

LOOK = 0.005  # seconds between two looks at a log that nobody tells us of


@dataclass(frozen=True)
class Run:
    """Events in a row: their bytes as they stand in the stream, and what is behind them."""

    data: bytes
    sequence: int
    count: int
    first_time: int
    last_time: int
    position: int  # behind them, in the ring; of no meaning in a log

    @property
    def next(self) -> int:
        return self.sequence + self.count


class Source(Protocol):
    """A stream to take runs from, in order."""

    lags: bool  # what it does not have yet may come: it is filled by somebody else
    knows_end: bool  # its StreamEnded is the stream's

    @property
    def stream(self) -> Stream | None:
        """None: not known before the first event (an empty log)."""

    @property
    def sequence(self) -> int:
        """Of the next event to take."""

    def head(self) -> int:
        """The sequence behind the newest event."""

    def backlog(self) -> int:
        """Bytes that are there to take, roughly."""

    def take(self, limit: int) -> Run | None:
        """The next events, `limit` bytes at most unless one alone is larger; None: there are none now. Raises
        Overrun (and then goes on behind it), StreamEnded, RingRemoved, CorruptStream."""

    def seek(self, sequence: int) -> None:
        """Go on there. Raises ValueError: that is beyond the head."""

    def finish(self, run: Run) -> None:
        """Everything up to this run need not be kept for us any more."""

    async def wait(self, woken: asyncio.Event, timeout: float) -> None:
        """Until there is something to take, `woken` is set, or the time is over."""

    def close(self) -> None: ...


def take_run(reader: Reader | LogReader, limit: int) -> Run | None:
    """As `Source.take`, from this reader."""
    sequence = reader.sequence
    taken = reader._take_run(limit, True)
    if taken is None:
        return None
    data, count, first_time, last_time = taken
    after = reader.sequence
    if after != sequence + count:  # it was moved to a later segment first
        sequence = after - count
    return Run(data, sequence, count, first_time, last_time, reader.position)


async def until(woken: asyncio.Event, timeout: float) -> None:
    """Until it is set, or the time is over."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(woken.wait(), timeout)
