"""Victims that carry a stream: they append runs of entries as they are, take them, and jump, or find a jump
that a killed writer has begun."""

from __future__ import annotations

import struct
import time
import zlib

import writer_support
from oracle import ENTRY, RingFile
from points_history import MARKER, origin
from points_planted import Reap
from points_programmes import BATCH, Programme
from points_readers import Read

import ringlog

GAP = 1000  # sequences that a jump leaves out


class Runs(Programme):
    def run(self) -> None:
        for _ in range(3):
            self.append_run()

    def append_run(self) -> None:
        """Rivals may have appended since the run was made: then it is made again."""
        assert self.writer is not None
        items = self.begin(BATCH)
        while True:
            sequence, now = ringlog.info(self.path).event_count, time.time_ns()
            run = b"".join(ENTRY.pack(now, len(data), zlib.crc32(data)) + data for data in items)
            try:
                self.writer._append_run(run, 0, sequence)
            except (ValueError, ringlog.CorruptStream):
                continue
            self.log.say("ack", sequence)
            return


class TakeRuns(Read):
    def run(self) -> None:
        assert self.reader is not None
        while not self.over:
            got = self.reader._take_run(300, True)
            if got is None:
                self.reader._wait(1)
                continue
            run, at = got[0], 0
            for k in range(got[1]):
                size = struct.unpack_from("<I", run, at + 8)[0]
                who, number = origin(run[at + ENTRY.size : at + ENTRY.size + size])
                self.log.say("saw", self.reader.sequence - got[1] + k, who, number)
                self.over = self.over or who == MARKER
                at += ENTRY.size + size


class Jumps(Programme):
    """It leaves events out; behind that it goes on."""

    hits = 2  # the first head is an append's, the first tail the one that empties the window
    gap = GAP

    def run(self) -> None:
        for _ in range(2):
            self.append()
            self.jump()
            self.append()

    def jump(self) -> None:
        writer = self.writer
        assert writer is not None
        deadline = time.monotonic() + 10  # a lossless reader may have to read on first
        while writer._with_lock(lambda: writer._jump(writer._mapping.head()[1] + GAP)) >= 0:
            assert time.monotonic() < deadline
            time.sleep(0.001)


class JumpReap(Jumps, Reap):
    """Dead readers stand in its way, and it lets go of them with the lock held."""

    hits = 1

    def run(self) -> None:
        self.jump()
        self.append()


class JumpRecover(Programme):
    """A writer was killed in a jump: the tail is there, the head is not."""

    quiet = True

    def plant(self, file: RingFile) -> None:
        head = file.pair("head")
        for name in ("gate", "tail"):
            file.set_pair(name, *head)
        place = (head.position + file.capacity + 16 * GAP, head.sequence + GAP)
        file["jumped"], file["jump"] = head.position, place[0]
        file.set_pair("tail", *place)
        file["event_count"] = place[1]
        writer_support.plant_owner(file, slot=40)


class JumpForget(JumpRecover):
    """The same before the tail was there: the dead one's jump did not happen."""

    def plant(self, file: RingFile) -> None:
        head = file.pair("head")
        for name in ("gate", "tail"):
            file.set_pair(name, *head)
        file["jumped"], file["jump"] = head.position, head.position + file.capacity + 16 * GAP
        writer_support.plant_owner(file, slot=40)
