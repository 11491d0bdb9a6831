"""Kill -9 the writer, again and again, at random moments.

    python tests/writers/kill_writers.py [--kills 200] [--seed 1]

Each writer acknowledges over a pipe what append() and append_many() have returned. Every acknowledged
event must be there once and in its place; of what was not acknowledged, at most the one call that was
under way. A lossless and a lossy reader watch all the time. Prints events lost, duplicates, and how long
it took until the next writer appended.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import struct
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from processes import Child
from writer_support import IMPORTABLE, assert_consistent, origin, payload

import ringlog

BATCH = 9
MARKER = 10**6  # who the writer between two kills is
ACKNOWLEDGED = struct.Struct("<qq")  # first sequence, how many
# argv: path, who. Alternately an event and a batch.
WRITER = (
    IMPORTABLE
    + """
from writer_support import payload
from kill_writers import ACKNOWLEDGED, BATCH
who, number = int(sys.argv[2]), 0
writer = ringlog.Writer(path, timeout=30)
while True:
    first = writer.append(payload(who, number))
    os.write(1, ACKNOWLEDGED.pack(first, 1))
    number += 1
    got = writer.append_many([payload(who, number + k) for k in range(BATCH)])
    os.write(1, ACKNOWLEDGED.pack(got.start, len(got)))
    number += BATCH
"""
)


@dataclass
class Outcome:
    kills: int
    events: int = 0
    lost: int = 0
    duplicates: int = 0
    unacknowledged: int = 0  # published, but killed before it could be said; one call a kill at most
    wrong: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.events} events, {self.unacknowledged} of them not acknowledged\n"
            f"lost: {self.lost}, duplicates: {self.duplicates}, wrong: {len(self.wrong)}\n"
            f"until the next writer had appended: median {statistics.median(self.delays) * 1000:.1f} ms, "
            f"max {max(self.delays) * 1000:.1f} ms"
        )


class Watcher(threading.Thread):
    """Reads to the end, and notes every event: (sequence, who, number). Losses are told by the reader."""

    def __init__(self, path: str, **arguments: bool | str) -> None:
        super().__init__()
        self.reader = ringlog.Reader(path, start="oldest", **arguments)  # type: ignore[arg-type]
        self.seen: list[tuple[int, int, int]] = []
        self.error: BaseException | None = None
        self.done = False
        self.start()

    def run(self) -> None:
        try:
            while True:
                finished = self.done
                events = self.reader.read_many(4096, timeout=0.05)
                self.seen += [(event.sequence, *origin(event.data)) for event in events]
                if finished and not events:
                    return
        except BaseException as error:
            self.error = error

    def finish(self) -> list[tuple[int, int, int]]:
        self.done = True
        self.join(60)
        assert not self.is_alive()
        self.reader.close()
        if self.error:
            raise self.error
        return self.seen


def acknowledgements(stream: bytes) -> list[tuple[int, int]]:
    whole = len(stream) // ACKNOWLEDGED.size * ACKNOWLEDGED.size
    return list(ACKNOWLEDGED.iter_unpack(stream[:whole]))


def kill_again_and_again(path: str, kills: int, seed: int = 1) -> Outcome:
    chance = random.Random(seed)
    outcome = Outcome(kills)
    expected: list[tuple[int, int, int]] = []
    watchers = [Watcher(path, lossless=True), Watcher(path, on_overrun="raise")]
    try:
        for who in range(kills):
            child = Child(WRITER, path, who)
            try:
                assert child.process.stdout is not None
                told = child.process.stdout.read(ACKNOWLEDGED.size)  # it has begun
                killer = threading.Timer(chance.random() * 0.005, child.process.kill)
                killer.start()
                told += child.process.stdout.read()
                killer.join()
                child.process.wait(30)
            finally:
                child.close()
            started = time.monotonic()
            with ringlog.Writer(path, timeout=30) as writer:
                after = writer.append(payload(MARKER, who))
            outcome.delays.append(time.monotonic() - started)
            check_one(outcome, expected, who, acknowledgements(told), after)
    finally:
        everything = [watcher.finish() for watcher in watchers]
    outcome.events = len(expected)
    for seen in everything:
        outcome.lost += len(set(expected) - set(seen))
        outcome.duplicates += len(seen) - len(set(seen))
        if seen != expected:
            outcome.wrong.append("a reader saw something else")
    return outcome


def check_one(
    outcome: Outcome, expected: list[tuple[int, int, int]], who: int, told: list[tuple[int, int]], after: int
) -> None:
    """What a killed writer acknowledged, and the sequence `after` of the event behind it, fit together."""
    number, sequence = 0, len(expected)
    for first, count in told:
        if first != sequence or count != (BATCH if number % (BATCH + 1) else 1):
            outcome.wrong.append(f"writer {who} was told {first}, {count} at {sequence}")
        expected += [(first + k, who, number + k) for k in range(count)]
        number += count
        sequence += count
    under_way = BATCH if number % (BATCH + 1) else 1
    if after == sequence + under_way:
        expected += [(sequence + k, who, number + k) for k in range(under_way)]
        outcome.unacknowledged += under_way
    elif after != sequence:
        outcome.wrong.append(f"behind writer {who}: {after}, not {sequence} or {sequence + under_way}")
    expected.append((after, MARKER, who))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="ringlog-kill-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    path = os.path.join(folder, "ring")
    ringlog.create(path, 1 << 24)
    try:
        outcome = kill_again_and_again(path, arguments.kills, arguments.seed)
        assert_consistent(path)
        print(outcome)
        for line in outcome.wrong:
            print(line)
        return 1 if outcome.lost or outcome.duplicates or outcome.wrong else 0
    finally:
        ringlog.unlink(path)
        os.rmdir(folder)


if __name__ == "__main__":
    sys.exit(main())
