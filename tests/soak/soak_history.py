"""The history of a round, event by event: what writers were told against what readers saw."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy
from soak_people import (
    ACKNOWLEDGED,
    BEGUN,
    DIRECTOR,
    DROPPED,
    LIMIT,
    LOSSY,
    LOST,
    READERS,
    RECORD,
    SPARED,
    WRITERS,
    Life,
)  # fmt: skip

Records = "numpy.ndarray[tuple[int, int], numpy.dtype[numpy.int64]]"


@dataclass
class Verdict:
    events: int = 0
    acknowledged: int = 0
    seen: int = 0
    told_lost: int = 0  # to lossy readers, and to a name that was away
    lost: int = 0  # acknowledged, and not there, or not seen by who had to see it
    wrong: list[str] = field(default_factory=list)


def records(path: str) -> Records:
    with open(path, "rb") as stream:
        data = stream.read()
    whole = len(data) // RECORD.size * RECORD.size
    return numpy.frombuffer(data[:whole], numpy.int64).reshape(-1, 3)


class History:
    """What stands at each sequence: who wrote it, and his number."""

    def __init__(self, head: int, verdict: Verdict) -> None:
        self.who = numpy.full(head, -1, numpy.int64)
        self.number = numpy.full(head, -1, numpy.int64)
        self.verdict = verdict
        self.open: set[tuple[int, int]] = set()  # begun, and not acknowledged

    def writer(self, who: int, log: Records) -> None:
        begun: tuple[int, int] | None = None
        for kind, number, value in log.tolist():
            if kind == BEGUN:
                self.leave_open(who, begun)
                begun = (number, value)
            elif kind == ACKNOWLEDGED:
                assert begun is not None
                assert begun[0] == number
                self.put(who, number, value, begun[1])
                begun = None
        self.leave_open(who, begun)

    def leave_open(self, who: int, call: tuple[int, int] | None) -> None:
        if call:
            self.open |= {(who, number) for number in range(call[0], sum(call))}

    def put(self, who: int, number: int, sequence: int, count: int) -> None:
        self.verdict.acknowledged += count
        if sequence + count > len(self.who):
            self.verdict.lost += count
            self.verdict.wrong.append(f"writer {who} was told {sequence}, and the stream ends before")
            return
        if (self.who[sequence : sequence + count] >= 0).any():
            self.verdict.wrong.append(f"two writers were told {sequence} to {sequence + count - 1}")
        self.who[sequence : sequence + count] = who
        self.number[sequence : sequence + count] = range(number, number + count)

    def witness(self, log: Records) -> None:
        """It has seen everything: what nobody acknowledged is known from it, and must have been begun."""
        seen = log[log[:, 0] >= 0]
        unknown = seen[self.who[seen[:, 0]] < 0]
        claims = [(int(who), int(number)) for _, who, number in unknown]
        strangers = set(claims) - self.open
        if strangers or len(set(claims)) != len(claims):
            self.verdict.wrong.append(f"seen, and nobody wrote it, or twice: {sorted(strangers)[:5]}")
        self.who[unknown[:, 0]] = unknown[:, 1]
        self.number[unknown[:, 0]] = unknown[:, 2]
        left = int((self.who < 0).sum())
        if left:
            self.verdict.wrong.append(f"{left} events that the witness did not see and nobody wrote")

    def writers_in_order(self) -> None:
        """Nobody's events come twice or in another order than he appended them."""
        for who in numpy.unique(self.who):
            sequences = numpy.flatnonzero(self.who == who)
            back = numpy.flatnonzero(numpy.diff(self.number[sequences]) <= 0)
            if len(back):
                at = sequences[back[0] : back[0] + 2]
                self.verdict.wrong.append(f"writer {who}: {self.number[at]} at {at}: twice, or out of order")

    def reader(self, life: Life, log: Records, *, begins_at: int | None, complete: bool) -> int | None:
        """Check one life. begins_at: it begins there, or before. Returns that for the next of its name."""
        name = f"{life.role} {life.who}"
        seen = log[log[:, 0] >= 0]
        self.verdict.seen += len(seen)
        other = (self.who[seen[:, 0]] != seen[:, 1]) | (self.number[seen[:, 0]] != seen[:, 2])
        if other.any():
            self.verdict.wrong.append(f"{name} saw something else at {seen[other][0][0]}")
        expected, slack, told, read = None, 0, 0, False
        for kind, a, b in self.runs(log):
            if kind == DROPPED and expected is None:
                expected = a if begins_at is None else min(a, begins_at)
            elif kind == DROPPED:  # what the interrupted call returned, or told, reached nobody
                slack += LIMIT + max(0, b - told)
            else:
                again = life.role == "named" and not read and not told  # what was read last was not finished
                if expected is None or a > expected + slack or (a < expected and not again):
                    self.silently(name, expected, a)
                expected, slack = b + 1, 0
                if kind == LOST:
                    told += b - a + 1
                    if life.role not in LOSSY and (life.role != "named" or read):
                        self.verdict.lost += b - a + 1
                        self.verdict.wrong.append(f"{name} was attached, and lost {a} to {b}")
                read = read or kind >= 0
        self.verdict.told_lost += told
        if complete and expected != len(self.who):
            self.silently(name, expected, len(self.who))
        return begins_at if expected is None else expected + slack

    def silently(self, name: str, expected: int | None, came: int) -> None:
        self.verdict.lost += max(0, came - (expected or 0))
        self.verdict.wrong.append(f"{name}: {came} came after {expected}, and nothing was told")

    @staticmethod
    def runs(log: Records) -> list[tuple[int, int, int]]:
        """The records, with events one behind the other as one: (0, first, last)."""
        if not len(log):
            return []
        kinds = log[:, 0]
        breaks = numpy.flatnonzero((numpy.diff(kinds) != 1) | (kinds[1:] <= 0)) + 1
        found = []
        for part in numpy.split(log, breaks):
            if part[0][0] >= 0:
                found.append((0, int(part[0][0]), int(part[-1][0])))
            else:
                found += [(int(kind), int(a), int(b)) for kind, a, b in part]
        return found


def check(lives: list[Life], survivors: set[int], mine: list[tuple[int, int]], head: int) -> Verdict:
    """`survivors`: who was there at the end. mine: (sequence, number) of the director's own events."""
    verdict = Verdict(events=head)
    history = History(head, verdict)
    for sequence, number in mine:
        history.put(DIRECTOR, number, sequence, 1)
    logs = {life.who: records(life.log) for life in lives if os.path.exists(life.log)}
    lives = [life for life in lives if life.who in logs]
    for life in lives:
        if life.role in WRITERS:
            history.writer(life.who, logs[life.who])
    for life in lives:
        if life.role == SPARED:
            history.witness(logs[life.who])
    history.writers_in_order()
    following: int | None = None  # a new name begins at the oldest event, which a writer may be about to drop
    for life in lives:
        complete = life.who in survivors
        if life.role == "named":
            following = history.reader(life, logs[life.who], begins_at=following, complete=complete)
        elif life.role in READERS:
            first = 0 if life.role == SPARED else None
            history.reader(life, logs[life.who], begins_at=first, complete=complete)
    return verdict
