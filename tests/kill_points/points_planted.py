"""Victims that write, and find what others have left: a full ring, a lost token, a dead owner, a crash."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import ClassVar

import writer_support
from oracle import RingFile
from points_history import payload
from points_programmes import CAPACITY, EVENTS, Programme

import ringlog
from ringlog import lock


class Lap(Programme):
    """The ring is full: the tail has to move."""

    prefill = CAPACITY // 64 + 5


class Reap(Lap):
    """It is full, and dead readers stand in the way: two, since who joins takes a dead one's slot."""

    quiet = True

    def plan(self, driver: ringlog.Writer) -> None:
        pid = os.fork()
        if pid == 0:
            readers = [ringlog.Reader(self.path, lossless=True, start="oldest") for _ in range(2)]
            os.kill(readers[0]._pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for k in range(CAPACITY // 64):
            driver.append(payload(0, k))

    def run(self) -> None:
        for _ in range(3):
            self.append()


class Room(Programme):
    """It is full, and a reader of our own stands in the way, until we have been told."""

    prefill = CAPACITY // 64
    lets_go = False
    options: ClassVar[dict[str, object]] = {"timeout": 0.02}

    def prepare(self) -> None:
        super().prepare()
        self.reader = ringlog.Reader(self.path, lossless=True, start="oldest")

    def run(self) -> None:
        assert self.writer is not None
        [data] = self.begin()
        with contextlib.suppress(ringlog.RingFull, ringlog.WriterBusy):
            self.log.say("ack", self.writer.append(data))
        self.reader.read_many(100_000)

    def again(self) -> None:
        assert self.writer is not None
        self.reader.close()
        self.writer.close()
        self.writer = ringlog.Writer(self.path, timeout=20)
        super().again()


class Queue(Programme):
    """The semaphore's token is lost."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        writer_support.set_semaphore(writer_support.semaphore_of(file), 0)


class Swallow(Programme):
    """A token too many, and the lock is held by another writer of our own."""

    lets_go = False
    options: ClassVar[dict[str, object]] = {"timeout": 0.01}

    def prepare(self) -> None:
        super().prepare()
        self.holder = ringlog.Writer(self.path, lock="session", timeout=20)
        with RingFile(self.path) as file:
            writer_support.set_semaphore(writer_support.semaphore_of(file), 1)

    def run(self) -> None:
        assert self.writer is not None
        [data] = self.begin()
        with contextlib.suppress(ringlog.WriterBusy):
            self.log.say("ack", self.writer.append(data))

    def again(self) -> None:
        assert self.writer is not None
        self.holder.close()
        self.writer.close()
        self.writer = ringlog.Writer(self.path, timeout=20)
        super().again()


class Recover(Programme):
    """A writer was killed in its publication, and has written a mark."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        file["event_count"] += 1
        file["last_timestamp"] += 10**12
        writer_support.set_mark(file, 9, file["write_offset"] + 9000, 1000, 1)
        writer_support.plant_owner(file, slot=40)


class Renew(Programme):
    """The semaphore was removed, and somebody looks."""

    def run(self) -> None:
        assert self.writer is not None
        self.append()
        lock.remove_semaphore(writer_support.semaphore_name(self.path))
        lock.renew(self.writer, self.writer._mapping, self.writer._semaphore)
        self.append()


class Durable(Programme):
    """On a disk, where a record is still to be settled."""

    disk = True
    quiet = True
    options: ClassVar[dict[str, object]] = {"sync": "always"}

    def plant(self, file: RingFile) -> None:
        file["commits_dirty"] = 1

    def run(self) -> None:
        assert self.writer is not None
        for _ in range(3):
            self.append()
        self.writer.close()


class DurableClose(Durable):
    """The last one out notes that everything is on disk."""

    alone = True


class DurableLap(Durable):
    """The tail has to move over bytes that a commit record names."""

    prefill = CAPACITY // 64 + 5

    def plan(self, driver: ringlog.Writer) -> None:
        super().plan(driver)
        driver.sync()

    def run(self) -> None:
        for _ in range(EVENTS):
            self.append()


class DurableRecover(Durable):
    """A writer was killed between its commit record and its publication."""

    def plan(self, driver: ringlog.Writer) -> None:
        super().plan(driver)
        driver.append(payload(8, 8))
        driver.sync()

    def plant(self, file: RingFile) -> None:
        position, sequence = file.places()[-1]
        file["event_count"] = sequence
        file.set_pair("head", position, sequence)
        writer_support.plant_owner(file, slot=40)


class Restart(Programme):
    """The machine has crashed since the ring was used: nobody has it open."""

    disk = True
    alone = True
    quiet = True
    options: ClassVar[dict[str, object]] = {"sync": "always"}

    def plan(self, driver: ringlog.Writer) -> None:
        super().plan(driver)
        driver.sync()

    def plant(self, file: RingFile) -> None:
        writer_support.crash(self.path)

    def prepare(self) -> None:
        pass

    def run(self) -> None:
        self.writer = self.open()
        self.append()
