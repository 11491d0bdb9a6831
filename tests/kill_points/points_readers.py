"""Victims that read, and what they are to find. As points_programmes.py, but they end at the marker."""

from __future__ import annotations

from typing import ClassVar

from oracle import RingFile
from points_history import Log
from points_programmes import CAPACITY, NAME, Programme, note, read_on

import ringlog


class Read(Programme):
    """A lossless reader of what is there and what comes."""

    reads = True
    holds = True  # while it is attached, the writer waits for it
    first: int | None = 0  # sequence from which it must see everything; None: it says so itself
    options: ClassVar[dict[str, object]] = {"lossless": True, "start": "oldest"}

    def __init__(self, path: str, log: Log) -> None:
        super().__init__(path, log)
        self.reader: ringlog.Reader | None = None
        self.over = False  # it has seen the marker

    def open_reader(self) -> ringlog.Reader:
        return ringlog.Reader(self.path, **self.options)  # type: ignore[arg-type]

    def prepare(self) -> None:
        self.reader = self.open_reader()

    def run(self) -> None:
        assert self.reader is not None
        read_on(self.reader, self.log)
        self.over = True

    def again(self) -> None:
        if self.reader is None or self.reader._state != "open":
            if self.reader is not None:
                self.reader.close()  # what Ctrl-C has cut short
            self.reader = self.open_reader()
        if not self.over:
            read_on(self.reader, self.log)
        self.reader.close()
        self.reader.close()


class Batches(Read):
    def run(self) -> None:
        assert self.reader is not None
        while not self.over:
            for event in self.reader.read_batch(limit=5, timeout=20):
                self.over = not note(self.log, event)


class Views(Read):
    def run(self) -> None:
        assert self.reader is not None
        while not self.over:
            view = self.reader.view(timeout=20)
            assert view is not None
            with view as event:
                self.over = not note(self.log, event)


class Sleeps(Read):
    """A lossy reader, asleep at the head."""

    holds = False
    options: ClassVar[dict[str, object]] = {"wait": "sleep", "start": "oldest"}


class Named(Read):
    options: ClassVar[dict[str, object]] = {"name": NAME, "start": "oldest"}

    def run(self) -> None:
        assert self.reader is not None
        for event in self.reader.read_many(2):
            note(self.log, event)
        self.reader.commit()
        super().run()


class Join(Read):
    """It joins while its point is armed. The oldest event is the oldest when it has joined: the writer may
    have asked for room meanwhile."""

    first = None

    def prepare(self) -> None:
        pass

    def run(self) -> None:
        self.reader = self.open_reader()
        super().run()


class JoinNamed(Join):
    options: ClassVar[dict[str, object]] = {"name": NAME, "start": "oldest"}


class Moved(Join):
    """It joins where a writer that waited for room was killed: the gate stands ahead of the tail."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        file.set_pair("gate", *file.places()[1])


class Loss(JoinNamed):
    """It joins by a name that was lapped, which has to be told."""

    first = 0
    lets_go = False  # the ring is full, and it may hold it
    prefill = CAPACITY // 64 + 100

    def plan(self, driver: ringlog.Writer) -> None:
        ringlog.Reader(self.path, name=NAME).close()
        super().plan(driver)


class CloseReader(Read):
    """It reads a little, closes, and another one goes on."""

    first = None

    def run(self) -> None:
        assert self.reader is not None
        self.reader.poll()
        self.reader.close()


class CloseNamed(CloseReader):
    first = 0
    options: ClassVar[dict[str, object]] = {"name": NAME, "start": "oldest"}


class Wakes(Read):
    """A writer waits for room, or so the flag says."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        file["room_wanted"] = 1
