"""What a recorded program wrote to a log and what it was promised: the marks in a recording."""

from __future__ import annotations

import copy
from typing import Any

from history import Event


class LogHistory:
    """The log as its users know it.

    published: every event that readers could have seen, by sequence. promised: how many of them a call has
    returned for that promises they are on disk. pending: the events of a call that did not return yet.
    """

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.promised = 0
        self.pending: list[Event] = []
        self.boundaries = {0}  # counts between two calls
        self.always = True  # nobody has written without syncing
        self.horizon = 0  # retention may have removed the events before it
        self.by_parts = False  # the pending events may be there in part: a recording's
        self.gone: set[int] = set()  # lost in an earlier crash, where nothing was promised

    def copy(self) -> LogHistory:
        return copy.deepcopy(self)

    def feed(self, mark: dict[str, Any]) -> None:
        getattr(self, "_" + mark["what"], lambda mark: None)(mark)

    def after(self, found: dict[int, int], count: int) -> LogHistory:
        """What is known when recovery has found these sequences, with their times, and goes on at `count`."""
        left = self.copy()
        left.published, left.pending = (self.published + self.pending)[:count], []
        for sequence, timestamp in found.items():
            left.published[sequence] = left.published[sequence]._replace(timestamp=timestamp)
        left.gone = set(range(count)) - set(found)
        left.promised = min(self.promised, count)
        left.boundaries.add(count)
        return left

    def _opened(self, mark: dict[str, Any]) -> None:
        count = mark["count"]
        if count > len(self.published):  # a call that did not return had published nevertheless
            self.published += self.pending[: count - len(self.published)]
        assert len(self.published) == count >= self.promised, (len(self.published), count, self.promised)
        self.pending = []
        self.boundaries.add(count)
        self.always = self.always and mark["always"]
        if mark["always"]:  # it has synced what others did not
            self.promised = count

    def _writing(self, mark: dict[str, Any]) -> None:
        self.by_parts = mark.get("parts", False)
        self.pending += [Event(*event) for event in mark["events"]]

    def _part(self, mark: dict[str, Any]) -> None:
        """So many of the pending ones are written, and on disk."""
        self.published += self.pending[: mark["count"]]
        del self.pending[: mark["count"]]
        self.boundaries.add(len(self.published))
        self.promised = len(self.published)

    def _written(self, mark: dict[str, Any]) -> None:
        self.published += self.pending
        self.pending = []
        self.boundaries.add(len(self.published))
        if mark["durable"]:
            self.promised = len(self.published)
        else:
            self.always = False

    def _may_go(self, mark: dict[str, Any]) -> None:
        self.horizon = max(self.horizon, mark["before"])

    def _synced(self, mark: dict[str, Any]) -> None:
        self.promised = len(self.published)

    def _closed(self, mark: dict[str, Any]) -> None:
        if mark["synced"]:
            self.promised = len(self.published)
