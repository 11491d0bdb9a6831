"""One round of a soak: a ring, its people, and somebody who kills, stops, resumes and interrupts them."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from soak_history import Verdict, check
from soak_people import DIRECTOR, LAST, READERS, SPARED, WRITERS, Life, payload, start

import ringlog

CAPACITY = 1 << 18  # small: it is lapped all the time, and lossless readers hold writers back
HANGS = 30.0  # seconds without a new event, or until everybody has left


@dataclass
class Score:
    seed: int
    rounds: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    verdicts: list[Verdict] = field(default_factory=list)
    slowest: float = 0.0  # seconds from a kill to the next append by somebody else

    @property
    def wrong(self) -> list[str]:
        return [line for verdict in self.verdicts for line in verdict.wrong]

    def total(self, name: str) -> int:
        return sum(getattr(verdict, name) for verdict in self.verdicts)

    def __str__(self) -> str:
        hits = ", ".join(f"{count} {name}" for name, count in sorted(self.hits.items()))
        return (
            f"seed {self.seed}: {self.rounds} rounds; {hits}\n"
            f"{self.total('events')} events, {self.total('acknowledged')} acknowledged, "
            f"{self.total('seen')} times read; losses told to lossy readers: {self.total('told_lost')}\n"
            f"lost: {self.total('lost')}, wrong: {len(self.wrong)}\n"
            f"slowest recovery, from a kill to the next append by another: {self.slowest * 1000:.1f} ms"
        )


class Round:
    def __init__(self, score: Score, chance: random.Random, seconds: float, *, points: bool) -> None:
        self.score, self.chance, self.seconds, self.points = score, chance, seconds, points
        self.folder = tempfile.mkdtemp(
            prefix="ringlog-soak-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
        )
        self.path = os.path.join(self.folder, "ring")
        self.lives: list[Life] = []
        self.running: dict[int, Life] = {}  # by process id
        self.stopped: dict[int, float] = {}  # until when
        self.mine: list[tuple[int, int]] = []

    def run(self) -> None:
        ringlog.create(self.path, CAPACITY)
        try:
            for role in (*READERS, *WRITERS):
                self.give_birth(role)
            self.torment()
            survivors, head = self.end()
            self.score.verdicts.append(check(self.lives, survivors, self.mine, head))
            self.score.rounds += 1
        finally:
            for pid in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            ringlog.unlink(self.path)
            shutil.rmtree(self.folder)

    def give_birth(self, role: str) -> None:
        who = len(self.lives) + 1
        points = self.points and role in WRITERS
        life = Life(role, who, self.path, f"{self.folder}/log.{who}", self.chance.getrandbits(32), points)
        self.lives.append(life)
        self.running[start(life)] = life

    def torment(self) -> None:
        until = time.monotonic() + self.seconds
        witness = next(life for life in self.lives if life.role == SPARED)
        while not witness.attached():
            time.sleep(0.001)
        while time.monotonic() < until:
            time.sleep(self.chance.random() * 0.03)
            self.resume()
            self.bury(replace=True)
            pid = self.chance.choice(sorted(self.running))
            if self.running[pid].role == SPARED or pid in self.stopped:
                continue
            action = self.chance.choices(["killed", "stopped", "interrupted"], [4, 2, 4])[0]
            self.score.hits[action] += 1
            if action == "interrupted":
                os.kill(pid, signal.SIGINT)
            elif action == "stopped":
                os.kill(pid, signal.SIGSTOP)
                self.stopped[pid] = time.monotonic() + self.chance.random() ** 3 * 0.3
            else:
                os.kill(pid, signal.SIGKILL)
                self.go_on()
        self.resume(everybody=True)

    def go_on(self) -> None:
        """Somebody was killed: how long until we can append? Not beside stopped ones: those keep it."""
        if self.stopped:
            return
        started = time.monotonic()
        self.append(len(self.mine))
        self.score.slowest = max(self.score.slowest, time.monotonic() - started)

    def append(self, number: int) -> None:
        with ringlog.Writer(self.path, timeout=HANGS) as writer:
            self.mine.append((writer.append(payload(DIRECTOR, number)), number))

    def resume(self, *, everybody: bool = False) -> None:
        for pid, until in list(self.stopped.items()):
            if everybody or time.monotonic() > until:
                os.kill(pid, signal.SIGCONT)
                del self.stopped[pid]

    def bury(self, *, replace: bool) -> None:
        """Who has ended, by whatever hand, is followed by another of his kind."""
        for pid, life in list(self.running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.running[pid]
                self.stopped.pop(pid, None)
                failed = Path(life.log + ".failed")
                if failed.exists():
                    raise AssertionError(f"{life.role} {life.who} failed:\n{failed.read_text()}")
                # Nobody but the killer, or a named point, ends a process by a signal; the witness is spared.
                died = os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL
                assert not died, f"{life.role} {life.who} died of signal {os.WTERMSIG(status)}"
                assert not (replace and life.role == SPARED), f"the witness has left, status {status}"
                if replace:
                    self.give_birth(life.role)

    def end(self) -> tuple[set[int], int]:
        """Writers leave, then the last event ends the readers. Who was a reader then; the head."""
        open(self.path + ".over", "w").close()
        self.wait_until(lambda life: life.role in READERS)
        self.wait_until(lambda life: life.attached())
        survivors = {life.who for life in self.running.values()}
        self.append(LAST)
        self.wait_until(lambda life: False)
        return survivors, ringlog.info(self.path).event_count

    def wait_until(self, done: Callable[[Life], bool]) -> None:
        """Until that is true of everybody who is still there."""
        deadline = time.monotonic() + HANGS
        while left := [f"{life.role} {life.who}" for life in self.running.values() if not done(life)]:
            assert time.monotonic() < deadline, f"still there after {HANGS} s: {left}"
            self.bury(replace=False)
            time.sleep(0.005)
