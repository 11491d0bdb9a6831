"""What a victim does, and what it is to find: a programme for each way to the points.

`plan` runs in the driver before anybody is forked, `prepare` in the victim before its point is armed, `run`
with it armed; `again` goes on behind it, also when Ctrl-C has ended `run`, with the same objects.
"""

from __future__ import annotations

import contextlib
import time
from typing import ClassVar

from oracle import RingFile
from points_history import MARKER, SIZE, VICTIM, Log, origin, payload

import ringlog
from ringlog import lock

CAPACITY = 1 << 16
EVENTS = 24  # more than a stride
BATCH = 12
NAME = "n"


class Programme:
    """A victim that writes. Every call is noted before it is made, and when it has returned."""

    disk = False  # needs a ring that outlives the machine
    quiet = False  # what is planted would be put in order by rivals: they come when the point was reached
    reads = False
    last = False  # the ring is gone afterwards
    lets_go = True  # when `run` is over, or was interrupted, it holds neither the lock nor the others' room
    alone = False  # no other writer may have the ring open when it starts
    prefill = 3
    hits = 1  # how often its point is passed before something happens there
    gap = 0  # sequences that a jump of its leaves out
    options: ClassVar[dict[str, object]] = {}

    def __init__(self, path: str, log: Log) -> None:
        self.path, self.log, self.number = path, log, 0
        self.writer: ringlog.Writer | None = None

    def plan(self, driver: ringlog.Writer) -> None:
        """Before anybody else has the ring. Events of the driver: sequence and number are the same."""
        for k in range(self.prefill):
            driver.append(payload(0, k))

    def plant(self, file: RingFile) -> None:
        """Behind that, in the file itself; the driver's writer is closed."""

    def open(self) -> ringlog.Writer:
        options = {"timeout": 20, **self.options}
        return ringlog.Writer(self.path, **options)  # type: ignore[arg-type]

    def prepare(self) -> None:
        self.writer = self.open()

    def begin(self, count: int = 1) -> list[bytes]:
        self.log.say("begin", self.number, count)
        self.number += count
        return [payload(VICTIM, k) for k in range(self.number - count, self.number)]

    def append(self) -> None:
        assert self.writer is not None
        [data] = self.begin()
        self.log.say("ack", self.writer.append(data))

    def run(self) -> None:
        for _ in range(EVENTS):
            self.append()

    def again(self) -> None:
        if self.writer is None:
            self.writer = self.open()
        if self.writer._state == "open":
            self.append()
        self.writer.close()
        self.writer.close()


class Wake(Programme):
    """Somebody sleeps, or so the flag says."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        file["sleepers"] = 1


class Session(Programme):
    lets_go = False
    options: ClassVar[dict[str, object]] = {"lock": "session"}

    def run(self) -> None:
        assert self.writer is not None
        super().run()
        self.writer.close()

    def again(self) -> None:
        assert self.writer is not None
        self.writer.close()


class Many(Programme):
    def run(self) -> None:
        assert self.writer is not None
        for _ in range(3):
            items = self.begin(BATCH)
            self.log.say("ack", self.writer.append_many(items).start)


class Array(Programme):
    def run(self) -> None:
        assert self.writer is not None
        for _ in range(3):
            rows = memoryview(b"".join(self.begin(BATCH))).cast("B", (BATCH, SIZE))
            self.log.say("ack", self.writer.append_array(rows).start)


class Claims(Programme):
    def run(self) -> None:
        assert self.writer is not None
        for _ in range(3):
            [data] = self.begin()
            claim = self.writer.claim(SIZE)
            with claim as view:
                view[:] = data
            self.log.say("ack", claim.sequence)
        with contextlib.suppress(ZeroDivisionError), self.writer.claim(SIZE) as view:
            raise ZeroDivisionError

    def again(self) -> None:
        import gc

        gc.collect()  # a claim that Ctrl-C has cut off is collected, as its Writer's documentation says
        super().again()


class Open(Programme):
    def prepare(self) -> None:
        pass

    def run(self) -> None:
        self.writer = self.open()
        self.append()


class Close(Programme):
    def run(self) -> None:
        assert self.writer is not None
        self.append()
        self.writer.close()


class End(Programme):
    def run(self) -> None:
        assert self.writer is not None
        self.append()
        self.writer.end()


class Unlink(Programme):
    """It removes the ring that everybody uses."""

    last = True
    lets_go = False

    def run(self) -> None:
        self.append()
        with contextlib.suppress(FileNotFoundError):
            ringlog.unlink(self.path)

    def again(self) -> None:
        assert self.writer is not None
        with contextlib.suppress(FileNotFoundError):
            ringlog.unlink(self.path)
        self.writer.close()


class Create(Programme):
    """Another ring beside this one, whole or not there at all."""

    def run(self) -> None:
        self.append()
        known = lock.semaphore_name

        def note(file_id: bytes) -> str:  # killed between the semaphore and the name, it leaves one behind
            self.log.say("semaphore", known(file_id))
            return known(file_id)

        lock.semaphore_name = note
        ringlog.create(self.path + ".other", CAPACITY)

    def again(self) -> None:
        ringlog.create(self.path + ".other", CAPACITY, exist_ok=True)
        super().again()


class Forget(Programme):
    """A name whose reader is gone is dropped."""

    def plan(self, driver: ringlog.Writer) -> None:
        ringlog.Reader(self.path, name="gone").close()
        super().plan(driver)

    def run(self) -> None:
        self.append()
        with contextlib.suppress(KeyError):
            ringlog.forget(self.path, "gone")

    def again(self) -> None:
        with contextlib.suppress(KeyError):
            ringlog.forget(self.path, "gone")
        super().again()


def note(log: Log, event: ringlog.Event) -> bool:
    """Say what was read; False behind the last one."""
    who, number = origin(bytes(event.data))
    log.say("saw", event.sequence, who, number)
    return who != MARKER


def read_on(reader: ringlog.Reader, log: Log) -> None:
    """To the marker."""
    while True:
        try:
            if not note(log, reader.read(timeout=20)):
                return
        except ringlog.Overrun as error:
            log.say("lost", error.first, error.last)
        except ringlog.StreamEnded:
            time.sleep(0.001)  # a later writer goes on
        except ringlog.RingRemoved:
            log.say("removed")
            return
