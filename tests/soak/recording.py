"""Recorders of a ring that are killed at random while a writer writes at speed; then the log is compared.

    python -m tests.soak.recording --minutes 2 [--seed 7] [--rate 500000]

From a checkout, with ringlog installed. Rounds of some seconds, each with a new ring and log in memory. In
every third the ring is larger than each outage (the writer sees to that), so nothing may be missing. In the
others outages are longer than the ring, and the recorder is lossy, or its name was forgotten: each outage is
one gap, from the log's end to the oldest event that the ring still has. Exit code 1 if anything else is
found.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy

import ringlog

ROW = numpy.dtype([("number", "<i8"), ("twice", "<i8"), ("rest", "S48")])
BATCH, BURST = 500, 60  # events; batches, in the midst of which a recorder dies
ENTRY = ROW.itemsize + 16
LARGE, SMALL = 64 << 20, 4 << 20  # bytes of a ring: more than an outage, and less
SEGMENT = 16 << 20
ROUND = 5.0  # seconds
LIVES = 0.1  # seconds of a recorder, at most
HANGS = 30.0
KINDS = ("short", "lossy", "forgotten")
Gap = tuple[int, int]
Column = "numpy.ndarray[tuple[int], numpy.dtype[Any]]"


@dataclass
class Score:
    seed: int
    rounds: int = 0
    kills: int = 0
    busy: int = 0  # of those: while there was something to record
    events: int = 0
    outages: int = 0  # longer than the ring
    exact: int = 0  # gaps: one for each of those, from the right sequence to the right one
    lapped: int = 0  # gaps of lossy recorders that the writer has overtaken
    missing: int = 0  # gaps that nothing explains
    duplicates: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.rounds} rounds, {self.kills} kills of the recorder "
            f"({self.busy} while it was busy), "
            f"{self.events} events recorded\n"
            f"outages longer than the ring: {self.outages}, exact gaps for them: {self.exact}; "
            f"times that a lossy one was lapped: {self.lapped}\n"
            f"other gaps: {self.missing}, duplicates: {self.duplicates}, wrong: {len(self.wrong)}"
        )


class Round:
    """One ring and one log. This process is the writer; recorders are forked from it, and killed."""

    def __init__(self, score: Score, chance: random.Random, kind: str, rate: float) -> None:
        self.score, self.chance, self.kind, self.rate = score, chance, kind, rate
        self.capacity = LARGE if kind == "short" else SMALL
        self.folder = tempfile.mkdtemp(
            prefix="ringlog-soak-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
        )
        self.ring, self.log = os.path.join(self.folder, "ring"), os.path.join(self.folder, "log")
        self.written = 0
        self.expected: set[Gap] = set()  # an outage's that was longer than the ring
        self.recorder = 0  # its process id; 0: none

    def run(self, seconds: float) -> None:
        ringlog.create(self.ring, self.capacity)
        try:
            with ringlog.Writer(self.ring, timeout=HANGS) as self.writer:
                self.start()
                until = time.monotonic() + seconds
                self.live_and_die()  # once at least, however slow the machine is
                while time.monotonic() < until:
                    self.live_and_die()
                self.writer.end()
            self.finish()
            self.compare()
            self.score.rounds += 1
        finally:
            if self.recorder:
                os.kill(self.recorder, signal.SIGKILL)
                os.waitpid(self.recorder, 0)
            ringlog.unlink(self.ring)
            shutil.rmtree(self.folder)

    def live_and_die(self) -> None:
        self.write(self.chance.random() * LIVES)
        for _ in range(self.chance.randrange(BURST)):
            self.append()
        self.kill()
        self.outage()
        self.start()

    # ---- the writer ----

    def write(self, seconds: float) -> None:
        """At the rate that was asked for."""
        begun, until, first = time.monotonic(), time.monotonic() + seconds, self.written
        while (now := time.monotonic()) < until:
            if self.written - first > (now - begun) * self.rate:
                time.sleep(0.0005)
            else:
                self.append()

    def append(self) -> None:
        rows = numpy.zeros(BATCH, ROW)
        rows["number"] = numpy.arange(self.written, self.written + BATCH)
        rows["twice"] = 2 * rows["number"]
        rows["rest"] = b"recorded"
        assert self.writer.append_array(rows).start == self.written
        self.written += BATCH

    def outage(self) -> None:
        """Nobody records, and the writer goes on: for less than the ring, or for more."""
        if self.kind == "short":
            end = end_of(self.log)
            until = time.monotonic() + self.chance.random() * 0.05
            while time.monotonic() < until and (self.written - end) * ENTRY < LARGE // 2:
                self.append()
            return
        if self.kind == "forgotten":
            ringlog.forget(self.ring, "recorder")
        end = end_of(self.log)
        while ringlog.info(self.ring).tail_count <= end:
            self.append()
        for _ in range(self.chance.randrange(20)):
            self.append()
        self.expected.add((end, ringlog.info(self.ring).tail_count - 1))
        self.score.outages += 1

    # ---- recorders ----

    def start(self) -> None:
        """Until it has recorded something: the writer does nothing meanwhile."""
        if self.written == 0:
            self.append()
        end = max(
            end_of(self.log), ringlog.info(self.ring).tail_count
        )  # behind a gap, a segment begins empty
        self.recorder = os.fork()
        if self.recorder == 0:
            self.record()
        deadline = time.monotonic() + HANGS
        while end_of(self.log) <= end:
            assert time.monotonic() < deadline, f"nothing was recorded behind {end}{self.failure()}"
            assert os.waitpid(self.recorder, os.WNOHANG) == (0, 0), f"the recorder left{self.failure()}"
            time.sleep(0.0005)

    def record(self) -> None:
        """In the forked child, which does not return."""
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ringlog.record(self.ring, self.log, segment_bytes=SEGMENT, lossless=self.kind != "lossy")
            code = 0
        except BaseException:
            Path(self.folder, "failed").write_text(traceback.format_exc())
        finally:
            os._exit(code)

    def failure(self) -> str:
        failed = Path(self.folder, "failed")
        return f":\n{failed.read_text()}" if failed.exists() else ""

    def kill(self) -> None:
        os.kill(self.recorder, signal.SIGKILL)
        os.waitpid(self.recorder, 0)
        self.recorder = 0
        self.score.kills += 1
        self.score.busy += end_of(self.log) < self.written

    def finish(self) -> None:
        """The stream has ended: the last recorder copies the rest, and leaves."""
        deadline = time.monotonic() + HANGS
        while (ended := os.waitpid(self.recorder, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < deadline, "the last recorder hangs"
            time.sleep(0.001)
        self.recorder = 0
        assert ended[1] == 0, f"the last recorder ended with status {ended[1]}{self.failure()}"

    # ---- what must hold ----

    def compare(self) -> None:
        score, gaps, expected = self.score, set[Gap](), 0
        for gap, sequences, rows in self.pieces():
            if gap is not None:
                gaps.add(gap)
                continue
            numbers = rows["number"]
            score.events += len(rows)
            whole = (numbers == sequences) & (rows["twice"] == 2 * numbers) & (rows["rest"] == b"recorded")
            if not whole.all():
                self.wrong(f"something else at {sequences[~whole][0]}")
            steps = numpy.diff(numbers, prepend=expected - 1)
            score.duplicates += int((steps <= 0).sum())
            for at in numpy.flatnonzero(steps > 1):
                score.missing += not told(int(numbers[at] - steps[at] + 1), int(numbers[at] - 1), gaps)
            expected = int(numbers[-1]) + 1
        exact = gaps & self.expected
        score.exact += len(exact)
        if exact != self.expected:
            self.wrong(f"gaps {sorted(gaps)}, and there were {sorted(self.expected)}")
        if self.kind == "lossy":  # the writer may have lapped it while it recorded, too
            score.lapped += len(gaps - exact)
        else:
            score.missing += len(gaps - exact)
        if expected != self.written:
            self.wrong(f"the log ends at {expected}, the ring at {self.written}")
        report = ringlog.verify(self.log)
        if not report.ok:
            self.wrong(f"verify: {report.why}")

    def wrong(self, what: str) -> None:
        self.score.wrong.append(f"{self.kind}: {what}")

    def pieces(self) -> Iterator[tuple[Gap | None, Column, Column]]:
        """A gap that the log tells of, or sequences and rows."""
        nothing = numpy.empty(0)
        with ringlog.LogReader(self.log) as reader:
            while True:
                try:
                    batch = reader.read_batch()
                except ringlog.Overrun as lost:
                    yield (lost.first, lost.last), nothing, nothing
                except ringlog.StreamEnded:
                    return
                else:
                    yield None, numpy.asarray(batch.sequences), batch.to_numpy(ROW)


def told(first: int, last: int, gaps: set[Gap]) -> bool:
    """Is this all within gaps that the log tells of? Those may lie one behind the other."""
    for begin, end in sorted(gaps):
        if begin == first <= last:
            first = end + 1
    return first == last + 1


def end_of(log: str) -> int:
    """The sequence behind the last one that was recorded."""
    try:
        with ringlog.LogReader(log, start="latest") as reader:
            return reader.sequence
    except (FileNotFoundError, ringlog.NotARing):
        return 0


def soak(minutes: float, seed: int, rate: float) -> Score:
    """One round of each kind at least. Raises AssertionError if somebody hangs or fails."""
    chance, score = random.Random(seed), Score(seed)
    until = time.monotonic() + minutes * 60
    for kind in iter(lambda: KINDS[score.rounds % len(KINDS)], None):
        left = until - time.monotonic()
        if (left <= 0 and score.rounds >= len(KINDS)) or score.wrong:
            break
        Round(score, chance, kind, rate).run(min(left, ROUND, minutes * 60 / len(KINDS)))
    return score


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.recording", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=500_000, help="events a second, of 64 bytes")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    score = soak(arguments.minutes, seed, arguments.rate)
    print(score)
    for line in score.wrong:
        print(line)
    return 1 if score.wrong or score.missing or score.duplicates else 0


if __name__ == "__main__":
    sys.exit(main())
