"""One case: a ring, the people around it, a victim that is hit at a named point, and what must hold then."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import points_plan
from oracle import SLOT_ACTIVE, RingFile
from points_history import (
    DRIVER,
    MARKER,
    NAMES,
    RIVALS,
    VICTIM,
    Log,
    Told,
    check_published,
    check_seen,
    payload,
)
from points_planted import Restart
from points_process import Process, rival, victim, watcher
from points_programmes import CAPACITY, NAME
from points_readers import Read

import ringlog
from ringlog import lock

SOON = 5.0  # seconds until somebody else has appended; a second is promised, but the machine may be busy
BRIEFLY = 0.02
CONTENDED = 1 << 63


class Case:
    """`run` raises AssertionError if anything does not hold. Then `reached`: was the point passed?"""

    def __init__(self, point: str, programme: str, action: str, scenario: str) -> None:
        self.point, self.action, self.scenario = point, action, scenario
        self.kind = points_plan.BY_NAME[programme]
        self.number = 10**6  # of the driver's next event
        self.told: dict[int, Told] = {DRIVER: Told(), MARKER: Told()}
        self.processes: list[Process] = []
        self.probe: ringlog.Writer | None = None
        self.reached = False
        self.recovery = 0.0  # seconds from the hit to somebody else's next append

    def run(self) -> None:
        place = tempfile.gettempdir() if self.kind.disk else "/dev/shm"
        folder = tempfile.mkdtemp(prefix="ringlog-points-", dir=place)
        self.path = os.path.join(folder, "ring")
        semaphore = ""
        silent = Log()
        silent.close()
        planner = self.kind(self.path, silent)
        try:
            ringlog.create(self.path, CAPACITY)
            options = {"sync": 3600.0} if self.kind.disk else {}
            with ringlog.Writer(self.path, timeout=1, **options) as writer:  # type: ignore[arg-type]
                planner.plan(writer)
            with RingFile(self.path) as self.file:
                semaphore = lock.semaphore_name(self.file.raw("file_id"))
                self.base = self.file.pair("head").sequence
                planner.plant(self.file)
                if self.kind is not Restart:
                    self.base = max(self.file.pair(end).sequence for end in ("head", "tail"))
                self.walk()
        finally:
            if self.probe:
                self.probe.close()
            for process in self.processes:
                process.end()
            for path in Path(folder).iterdir():
                ringlog.unlink(path)
            for name in [semaphore, *self.told_semaphores()]:
                lock.remove_semaphore(name)
            shutil.rmtree(folder)

    def told_semaphores(self) -> list[str]:
        words = self.told[VICTIM].words if VICTIM in self.told else set()
        return [word.split()[1] for word in words if word.startswith("semaphore ")]

    # ---- the course of events ----

    def walk(self) -> None:
        self.gather_people()
        self.victim = self.fork(victim(self.kind, self.path, self.point, self.action))
        self.victim.wait_ready()
        if not self.kind.alone:
            self.probe = ringlog.Writer(self.path, timeout=BRIEFLY)
        for process in self.rivals if not self.kind.quiet else []:
            process.go()
        self.victim.go()
        survives = self.hit()
        started = time.monotonic()
        if self.kind.quiet:
            for process in self.rivals:
                process.go()
        if self.action == "stop" and self.reached:
            self.while_stopped()
            os.kill(self.victim.pid, signal.SIGCONT)
            started = time.monotonic()
        if self.action == "abort" and self.kind.lets_go:
            self.append(DRIVER)  # before the interrupted one does anything: nothing of its is left taken
        if survives:
            self.victim.go()
        if survives and not self.kind.reads:
            assert self.victim.wait() == 0
        if self.probe:
            self.probe.close()
        if self.kind.last:
            with contextlib.suppress(FileNotFoundError):
                ringlog.unlink(self.path)
        else:
            self.append(DRIVER)
            self.recovery = time.monotonic() - started
        for process in self.rivals:
            assert process.wait() == 0
        told = None if survives else self.victim.told(VICTIM)
        if told and self.kind.reads:
            self.reader_is_gone(told)
        if not self.kind.last:
            self.append(MARKER)
        for process in self.watchers:
            assert process.wait() == 0
        if survives and self.kind.reads:
            assert self.victim.wait() == 0
        told = told or self.victim.told(VICTIM)
        if survives:
            assert "finished" in told.words, told.words
        if self.action == "abort":
            self.reached = "passed" in told.words or "stepped" in told.words
        self.told[VICTIM] = told
        self.check(survives)

    def fork(self, function: Callable[[Process], None]) -> Process:
        process = Process(function)
        self.processes.append(process)
        return process

    def gather_people(self) -> None:
        rivals = RIVALS if self.scenario == "contending" else ()
        self.rivals = [self.fork(rival(self.path, who, quiet=self.kind.quiet)) for who in rivals]
        options: list[tuple[dict[str, object], bool]] = []
        if self.scenario == "lossless":
            options = [({"lossless": True}, False)]
        elif self.scenario == "sleeping":
            options = [({"wait": "sleep"}, False), ({}, True)]
        self.watchers = [self.fork(watcher(self.path, *each)) for each in options]
        for process in self.rivals + self.watchers:
            process.wait_ready()
        for process in self.watchers:
            process.go()

    def hit(self) -> bool:
        """Wait until the victim was hit. False: it is dead."""
        if self.action in ("abort", "none"):
            self.victim.wait_hit()
            return True
        status = self.victim.wait_changed(1.0 if self.kind.reads else 20.0)
        if status is None:  # it reads on, and waits for more
            return True
        self.reached = os.WIFSTOPPED(status) or os.WIFSIGNALED(status)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, f"it died of signal {os.WTERMSIG(status)}"
        return not os.WIFSIGNALED(status) and not os.WIFEXITED(status)

    def append(self, who: int) -> None:
        with ringlog.Writer(self.path, timeout=SOON) as writer:
            self.told[who].acknowledged[writer.append(payload(who, self.number))] = (who, self.number)
        self.number += 1

    # ---- a stopped one is never robbed ----

    def while_stopped(self) -> None:
        if self.probe is None:
            time.sleep(BRIEFLY)
            return
        owner, head = self.owner(), self.file["write_offset"]
        holds_lock = self.pid_of_writer(owner) == self.victim.pid
        holds_room = any(
            slot.status == SLOT_ACTIVE and slot.pid == self.victim.pid and self.listed(number)
            for number, slot in enumerate(self.file.reader_slots())
        )
        refused: Exception | None = None
        try:
            for _ in range(20 if holds_room else 1):
                self.append_batch(self.probe, 64)
        except (ringlog.WriterBusy, ringlog.RingFull, ringlog.RingRemoved) as error:
            refused = error
        if holds_lock:
            assert isinstance(refused, ringlog.WriterBusy), "a stopped owner was robbed"
        elif holds_room:
            busy = isinstance(refused, ringlog.WriterBusy) and self.rivals
            assert busy or isinstance(refused, ringlog.RingFull), "a stopped reader was overrun"
        else:
            expected = ringlog.RingRemoved if self.kind.last else ringlog.WriterBusy
            assert refused is None or isinstance(refused, expected), refused
            assert self.rivals or self.kind.last or refused is None, refused
        if holds_lock or (holds_room and isinstance(refused, ringlog.RingFull)):
            assert str(self.victim.pid) in str(refused)
        if holds_lock:
            assert (self.owner(), self.file["write_offset"]) == (owner, head), "a stopped owner was robbed"

    def listed(self, slot: int) -> bool:
        """Behind that bit a reader that joins looks at the gate: from then on the writer sees it."""
        return bool(self.file.raw("reader_bits")[slot // 8] >> slot % 8 & 1)

    def owner(self) -> int:
        return self.file["owner"] & ~CONTENDED

    def pid_of_writer(self, owner: int) -> int:
        """Of a living one: words of the dead are planted with other epochs."""
        state, pid = struct.unpack_from("<Qq", self.file.memory, 8192 + (owner & 63) * 128)
        return int(pid) if owner and state >> 8 == owner >> 16 else 0

    def append_batch(self, writer: ringlog.Writer, count: int) -> None:
        numbers = range(self.number, self.number + count)
        sequences = writer.append_many([payload(DRIVER, number) for number in numbers])
        self.number += count
        self.told[DRIVER].acknowledged |= {s: (DRIVER, n) for s, n in zip(sequences, numbers, strict=True)}

    # ---- a dead one holds nobody back ----

    def reader_is_gone(self, told: Told) -> None:
        if NAME in self.kind.options.values():
            first = 1 + max([seen[0] for seen in told.seen] + [last for _, last in told.lost], default=-1)
            with ringlog.Reader(self.path, name=NAME, start="oldest") as reader:
                assert reader.sequence <= first or first == 0, "the next of its name begins too late"
                heir = Told()
                while True:
                    try:
                        events = reader.read_many(100_000)
                    except ringlog.Overrun as error:
                        heir.lost.append((error.first, error.last))
                        continue
                    if not events:
                        break
                    heir.seen += [(e.sequence, *struct.unpack_from("<II", e.data)) for e in events]
                check_seen("the next of its name", heir, {}, first, reader.sequence)
        with ringlog.Writer(self.path, timeout=SOON) as writer:
            for _ in range(CAPACITY // 4096 + 2):
                self.append_batch(writer, 64)

    # ---- what must hold ----

    def check(self, survives: bool) -> None:
        for who, process in zip(RIVALS, self.rivals, strict=False):
            self.told[who] = process.told(who)
        watched = [process.told(-1) for process in self.watchers]
        for told in [*self.told.values(), *watched]:
            failed = [word for word in told.words if word.startswith("failed")]
            assert not failed, failed[0].encode().decode("unicode_escape")
        head = self.file.pair("head").sequence
        history = check_published(self.file, self.base, head, self.told, self.kind.gap)
        lossless = self.scenario == "lossless"
        for told in watched:
            gaps = [last - first + 1 for first, last in told.lost]
            assert not lossless or set(gaps) <= {self.kind.gap}, f"a lossless reader lost {told.lost}"
            check_seen(f"the {self.scenario} reader", told, history, self.base, head)
        told = self.told[VICTIM]
        if issubclass(self.kind, Read):
            first = self.kind.first
            if first is None and told.seen:
                first = told.seen[0][0]
            may_miss = 5 if self.action == "abort" else 0
            check_seen(NAMES[VICTIM], told, history, first if survives else None, head, may_miss)
        if not self.kind.last:
            assert self.file["owner"] == 0
            assert self.file["event_count"] == head
