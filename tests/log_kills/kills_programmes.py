"""What a victim does with a log, and who goes on behind it: a programme for each way through the code.

`plan` runs in the driver before the victim is forked, `run` in the victim, `go_on` in the driver behind its
death.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from log_support import HEADER, segments

import ringlog

ROW = 24
MORE = 3  # events of whoever goes on
NUMBERS = struct.Struct("<qq")


class Acknowledged:
    """What the victim was about to do, and has done, as the driver learns it: up to which sequence."""

    def __init__(self) -> None:
        self._inward, self._outward = os.pipe()

    def say(self, begun: int, done: int) -> None:
        os.write(self._outward, NUMBERS.pack(begun, done))

    def last(self) -> tuple[int, int] | None:
        """Begun up to, done up to; None if it said nothing. The victim is dead; asked once."""
        os.close(self._outward)
        with os.fdopen(self._inward, "rb") as stream:
            said = stream.read()
        return NUMBERS.unpack(said[-NUMBERS.size :]) if said else None


class Programme:
    """Single appends behind a few that are there, through several segments."""

    disk = False  # needs a place that outlives the machine
    gaps: tuple[tuple[int, int], ...] = ()  # that the log is to have in the end
    shortens = False  # retention takes from the front
    options: ClassVar[dict[str, Any]] = {"segment_bytes": 200}
    syncing: ClassVar[dict[str, Any]] = {}
    there = 3
    events = 9
    name = "log"

    def __init__(self, folder: Path) -> None:
        self.log = folder / self.name
        self.ring = str(folder / "ring")

    def data(self, sequence: int) -> bytes:
        return b"%06d" % sequence + bytes([65 + sequence % 26]) * (sequence * 7 % 40)

    def plan(self) -> None:
        with self.open(in_peace=True) as log:
            for k in range(self.there):
                log.append(self.data(k))

    def open(self, *, in_peace: bool = False) -> ringlog.LogWriter:
        """in_peace: nobody is going to be killed, so there is no need to wait for the disk."""
        return ringlog.LogWriter(self.log, **self.options, **({} if in_peace else self.syncing))

    def run(self, said: Acknowledged) -> None:
        with self.open() as log:
            for k in range(log.sequence, log.sequence + self.events):
                said.say(k + 1, k)
                log.append(self.data(k))
                said.say(k + 1, k + 1)

    def go_on(self, end: int) -> int:
        """The next one opens the log, finds that it ends there, and writes. Where it ends then."""
        with self.open(in_peace=True) as log:
            assert log.sequence == end, f"it goes on at {log.sequence}, and the log had {end}"
            assert log.recovered == "" or "not finished" in log.recovered, log.recovered
            last = self.log if self.log.is_file() else segments(self.log)[-1]
            raw = last.read_bytes()
            assert len(raw) == HEADER.unpack_from(raw)[0], "what was not finished still stands there"
            for k in range(end, end + MORE):
                assert log.append(self.data(k)) == k
        return end + MORE

    def clean(self) -> None:
        """Away with what is not in the folder."""


class Create(Programme):
    events = 2

    def plan(self) -> None:
        pass


class Single(Create):
    name = "log.events"


class SingleAgain(Programme):
    name = "log.events"
    events = 2


class Recover(Programme):
    """Somebody was killed before, in the middle of an append: there is something to cut off."""

    events = 1

    def plan(self) -> None:
        super().plan()
        last = max(self.log.glob("*.events"))
        with last.open("ab") as file:
            file.write(b"half of an entry" + bytes(5000))


class Many(Programme):
    options: ClassVar[dict[str, Any]] = {"segment_bytes": 400}
    batch = 5

    def run(self, said: Acknowledged) -> None:
        with self.open() as log:
            for first in range(log.sequence, log.sequence + 3 * self.batch, self.batch):
                said.say(first + self.batch, first)
                self.put(log, first)
                said.say(first + self.batch, first + self.batch)

    def put(self, log: ringlog.LogWriter, first: int) -> None:
        log.append_many([self.data(k) for k in range(first, first + self.batch)])


class Array(Many):
    def data(self, sequence: int) -> bytes:
        return b"%06d" % sequence + b"x" * (ROW - 6)

    def put(self, log: ringlog.LogWriter, first: int) -> None:
        rows = b"".join(self.data(k) for k in range(first, first + self.batch))
        log.append_array(memoryview(rows).cast("B", (self.batch, ROW)))


class Large(Programme):
    """Events of which the index has points, in a file that grows and is mapped anew."""

    options: ClassVar[dict[str, Any]] = {"segment_bytes": 1 << 20}
    there = 2
    events = 4

    def data(self, sequence: int) -> bytes:
        return b"%06d" % sequence * 50_000


class LargeSingle(Large):
    name = "log.events"


class Retention(Programme):
    options: ClassVar[dict[str, Any]] = {"segment_bytes": 120, "keep_segments": 2}
    shortens = True


class Durable(Programme):
    disk = True
    syncing: ClassVar[dict[str, Any]] = {"sync": "always"}
    events = 5


class Synced(Programme):
    """Asked for, behind an append."""

    disk = True
    events = 2

    def run(self, said: Acknowledged) -> None:
        with self.open() as log:
            log.append(self.data(log.sequence))
            log.sync()
            log.append(self.data(log.sequence))
            said.say(self.there + 2, self.there + 2)


class Seek(Large):
    """A reader makes an index again, beside the segment; who writes finds it, or not."""

    def plan(self) -> None:
        super().plan()
        for path in self.log.glob("*.index"):
            path.unlink()

    def run(self, said: Acknowledged) -> None:
        with ringlog.LogReader(self.log, start=1) as reader:
            event = reader.poll()
            assert event is not None
            assert (event.sequence, event.data) == (1, self.data(1))
        said.say(self.there, self.there)


class Record(Programme):
    """A recorder that goes on with a log, through several segments, to the end of the ring's stream."""

    options: ClassVar[dict[str, Any]] = {"segment_bytes": 300}
    recording: ClassVar[dict[str, Any]] = {}
    there = 4
    events = 16

    def plan(self) -> None:
        ringlog.create(self.ring, 1 << 16)
        with ringlog.Writer(self.ring) as writer:
            for k in range(self.there):
                writer.append(self.data(k))
            if self.there:
                self.record(stop=lambda: True)
            for k in range(self.there, self.there + self.events):
                writer.append(self.data(k))
            writer.end()

    def record(
        self, *, stop: Callable[[], bool] | None = None, progress: Callable[[int, int], object] | None = None
    ) -> int:
        syncing = self.syncing if progress else {}
        return ringlog.record(
            self.ring, self.log, stop=stop, progress=progress, **self.options, **syncing, **self.recording
        )

    def run(self, said: Acknowledged) -> None:
        total, here = self.there + self.events, self.there

        def done(events: int, _bytes: int) -> None:
            nonlocal here
            here += events
            said.say(total, here)

        said.say(total, here)
        self.record(progress=done)

    def go_on(self, end: int) -> int:
        total = self.there + self.events
        more = self.record()
        assert more == total - end, f"{more} more were recorded, behind {end} of {total}"
        assert self.record() == 0
        return total

    def clean(self) -> None:
        ringlog.unlink(self.ring)


class RecordNew(Record):
    there = 0
    events = 6


class RecordDurable(Record):
    disk = True
    syncing: ClassVar[dict[str, Any]] = {"sync": "always"}
    events = 12


class RecordBehindGap(Record):
    """The ring has lost some before the recorder comes back: a segment begins behind the gap."""

    recording: ClassVar[dict[str, Any]] = {"lossless": False}
    options: ClassVar[dict[str, Any]] = {"segment_bytes": 60_000}
    events = 16

    def data(self, sequence: int) -> bytes:
        return b"%06d" % sequence * 1000

    def plan(self) -> None:
        super().plan()
        oldest = ringlog.info(self.ring).tail_count
        assert oldest > self.there
        self.gaps = ((self.there, oldest - 1),)

    def go_on(self, end: int) -> int:
        total = self.there + self.events
        ((_, last),) = self.gaps
        assert self.record() == total - max(end, last + 1)
        return total


PROGRAMMES: dict[str, type[Programme]] = {
    kind.__name__: kind
    for kind in (
        Create, Single, SingleAgain, Programme, Recover, Many, Array, Large, LargeSingle, Retention,
        Durable, Synced, Seek, Record, RecordNew, RecordDurable, RecordBehindGap,
    )
}  # fmt: skip
