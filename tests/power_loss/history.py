"""What a recorded program wrote and what it was promised: the marks in a log, read up to some moment."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

FIRST = 24
ENTRY = 16


class Event(NamedTuple):
    timestamp: int  # 0: a claim's, which is the clock's and was not known beforehand
    label: int
    size: int


def payload(label: int, size: int) -> bytes:
    """An event's data: no two labels have the same, from 9 bytes on."""
    return (b"%08d." % label * (size // 9 + 1))[:size]


class History:
    """The stream as its users know it.

    published: every event that readers could have seen, by sequence. promised: how many of them a call has
    returned for that promises they are on disk. pending: calls that did not return, each with the sequence
    at which its events would stand; one of them may be there whole, or not at all.
    """

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.promised = 0
        self.pending: list[tuple[int, list[Event]]] = []
        self.boundaries = {0}  # counts between two calls
        self.streams: set[str] = set()  # ids under which something was published
        self.finished: dict[str, int] = {}  # of named readers whose name is on disk
        self.named: dict[str, int] = {}
        self.largest_end = FIRST  # position of the end of what was written, or was to be
        self.lowest_tail = 0  # sequences before it had been lost in an earlier crash
        self.always = True  # nobody has written without syncing
        self.ended: int | None = None  # how many events there were at end()
        self.end_kept: int | None = None  # as ended, if that is on disk
        self.clean = False
        self.recovered: list[Event] | None = None  # what is surely there when the next writer opens the ring

    def copy(self) -> History:
        return copy.deepcopy(self)

    def end(self) -> int:
        """The position behind the last published event."""
        return FIRST + sum(ENTRY + event.size for event in self.published)

    def position(self, sequence: int) -> int:
        return FIRST + sum(ENTRY + event.size for event in self.published[:sequence])

    def feed(self, mark: dict[str, Any]) -> None:
        getattr(self, "_" + mark["what"])(mark)

    def _opened(self, mark: dict[str, Any]) -> None:
        count = mark["count"]
        if self.recovered is not None:
            self.published, self.recovered = self.recovered, None
            assert len(self.published) == count
            # A name that was not on disk yet may be unknown from here on.
            self.named = {name: min(self.named[name], count) for name in self.finished}
        if count > len(self.published):  # a call that did not return had published nevertheless
            for start, events in self.pending:
                if start + len(events) == count:
                    self.published = self.published[:start] + events
                    break
            else:
                raise AssertionError(f"{count} events, but nobody wrote them: {self.pending}")
        del self.published[count:]
        assert count >= self.promised or count == 0, (count, self.promised)
        self.promised = min(self.promised, count)
        self.boundaries = {k for k in self.boundaries if k <= count} | {count}
        self.streams.add(mark["stream"])
        self.pending = [(start, events) for start, events in self.pending if start >= count]
        self.clean = False

    def _writing(self, mark: dict[str, Any]) -> None:
        events = [Event(*event) for event in mark["events"]]
        self.pending.append((len(self.published), events))
        self.largest_end = max(self.largest_end, self.end() + sum(ENTRY + event.size for event in events))

    def _written(self, mark: dict[str, Any]) -> None:
        start, events = self.pending[-1]
        assert start == len(self.published)
        self.published += events
        self.boundaries.add(len(self.published))
        self.ended = self.end_kept = None
        if mark["durable"]:
            self._synced(mark)
        else:
            self.always = False
        # What an earlier, failed call wrote there is overwritten in memory; on disk it may still be.
        self.pending = [(s, e) for s, e in self.pending if s + len(e) > self.promised and e is not events]

    _jumping = _writing

    def _jumped(self, mark: dict[str, Any]) -> None:
        """The new place is promised when something behind it is, or by a sync."""
        self.published += self.pending.pop()[1]
        self.boundaries.add(len(self.published))
        self.ended = self.end_kept = None

    def _syncing(self, mark: dict[str, Any]) -> None:
        pass

    def _synced(self, mark: dict[str, Any]) -> None:
        self.promised = len(self.published)
        self.pending = []
        self.finished.update(self.named)
        self.end_kept = self.ended

    def _closed(self, mark: dict[str, Any]) -> None:
        if mark["synced"]:
            self._synced(mark)
            self.clean = True

    def _ending(self, mark: dict[str, Any]) -> None:
        pass

    def _ended(self, mark: dict[str, Any]) -> None:
        self.ended = len(self.published)

    def _named(self, mark: dict[str, Any]) -> None:
        self.named[mark["name"]] = mark["finished"]

    def _killed(self, mark: dict[str, Any]) -> None:
        pass

    def _failed(self, mark: dict[str, Any]) -> None:
        pass

    def _over(self, mark: dict[str, Any]) -> None:
        pass
