"""A program that uses a ring, in a recorded process. It says around each call what it is about to write, and
what was promised when the call returned: `history.py` reads these marks in the log.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from collections.abc import Iterator
from typing import Any, Literal

from history import Event, payload

import ringlog

CAPACITY = 1 << 16
STRIDE = CAPACITY // 64
Sync = Literal["none", "always"] | float
FIRST_TIMESTAMP = 1_700_000_000_000_000_000

library = ctypes.CDLL(os.environ.get("LD_PRELOAD", ""))
library.recorder_stores.restype = ctypes.c_uint64
library.recorder_kill_after.argtypes = [ctypes.c_uint64]
library.recorder_fail_sync.argtypes = [ctypes.c_uint64]


def mark(what: str, **more: Any) -> None:
    text = json.dumps({"what": what, **more}).encode()
    library.recorder_mark(text, len(text))


class Program:
    """A program that uses one ring, and keeps account of it in the log."""

    def __init__(self, path: str, label: int = 0) -> None:
        self.path = path
        self.label = label  # of the next event: each attempt has its own, so that no two are alike
        self.first_timestamp = FIRST_TIMESTAMP
        self.sync: Sync = "none"

    @contextlib.contextmanager
    def writer(self, sync: Sync) -> Iterator[ringlog.Writer]:
        self.sync = sync
        if not os.path.exists(self.path):
            ringlog.create(self.path, CAPACITY, max_readers=4)  # few: to look at each takes time
        writer = ringlog.Writer(self.path, capacity=CAPACITY, sync=sync, timeout=20)
        seen = ringlog.info(self.path)
        mark("opened", count=seen.event_count, stream=seen.stream_id)
        yield writer
        writer.close()
        # From here on only if nobody else has the ring open; what is durable is the same either way.
        mark("closed", synced=sync != "none")

    def event(self, size: int) -> Event:
        self.label += 1
        return Event(self.first_timestamp + self.label, self.label, size)

    def write(self, writer: ringlog.Writer, sizes: list[int], how: str = "append") -> None:
        """Publish events of these sizes in one call."""
        events = [self.event(size) for size in sizes]
        if how == "many":  # one time for all: as a batch has
            events = [event._replace(timestamp=events[0].timestamp) for event in events]
        if how == "claim":
            events = [event._replace(timestamp=0) for event in events]
        mark("writing", events=events)
        data = [payload(event.label, event.size) for event in events]
        if how == "append":
            assert len(data) == 1
            writer.append(data[0], timestamp=events[0].timestamp)
        elif how == "many":
            writer.append_many(data, timestamp=events[0].timestamp)
        else:
            with writer.claim(len(data[0])) as view:
                view[:] = data[0]
        mark("written", durable=self.sync == "always")

    def jump(self, writer: ringlog.Writer, gap: int) -> None:
        """Leave so many sequences out. In history they are events that nobody can find, and as long."""
        goal = ringlog.info(self.path).event_count + gap
        mark("jumping", events=[Event(0, 0, 0)] * (gap - 1) + [Event(0, 0, CAPACITY)])
        assert writer._with_lock(lambda: writer._jump(goal)) == -1
        mark("jumped")

    def synced(self, writer: ringlog.Writer) -> None:
        mark("syncing")
        writer.sync()
        mark("synced")
