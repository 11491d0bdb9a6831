"""Events that prove themselves, what each process says about them, and whether all of it fits together."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

from oracle import RingFile

SIZE = 48  # of every event: 64 bytes with its entry
DRIVER, VICTIM, RIVALS = 0, 1, (2, 3)
MARKER = 9  # the last event of a case: readers stop behind it
NAMES = {DRIVER: "driver", VICTIM: "victim", 2: "rival 2", 3: "rival 3", MARKER: "marker"}


def payload(who: int, number: int) -> bytes:
    """An event that tells who wrote it, as the how manieth, and shows whether it is whole."""
    return struct.pack("<II", who, number) + bytes(
        (who * 31 + number * 7 + k) & 0xFF for k in range(SIZE - 8)
    )


def origin(data: bytes) -> tuple[int, int]:
    """Who wrote this event, and its number; AssertionError if it is not whole (G1)."""
    who, number = struct.unpack_from("<II", data)
    assert data == payload(who, number), f"torn: {data!r}"
    return who, number


class Log:
    """What a process says: one line each, in a pipe, so that what was said outlives it."""

    def __init__(self) -> None:
        self.inward, self.outward = os.pipe()

    def say(self, *words: object) -> None:
        os.write(self.outward, (" ".join(map(str, words)) + "\n").encode())

    def read(self) -> list[list[str]]:
        """Everything that was said. Precondition: nobody says anything more."""
        os.close(self.outward)
        self.outward = -1
        inward, self.inward = self.inward, -1
        with os.fdopen(inward, "rb") as stream:
            return [line.split() for line in stream.read().decode().splitlines()]

    def close(self) -> None:
        for fd in (self.inward, self.outward):
            if fd >= 0:
                os.close(fd)
        self.inward = self.outward = -1


@dataclass
class Told:
    """A log, sorted: appends that returned, events that were read, losses that were told, other words."""

    acknowledged: dict[int, tuple[int, int]] = field(default_factory=dict)  # sequence: who, number
    seen: list[tuple[int, int, int]] = field(default_factory=list)  # sequence, who, number
    lost: list[tuple[int, int]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    open: list[int] = field(default_factory=list)  # numbers of calls that were begun and not acknowledged

    @staticmethod
    def of(lines: list[list[str]], who: int) -> Told:
        told = Told()
        begun: tuple[int, int] | None = None
        for kind, *rest in lines:
            if kind == "begin":  # number, count
                if begun:
                    told.open += range(begun[0], sum(begun))
                begun = (int(rest[0]), int(rest[1]))
            elif kind == "ack":  # first sequence
                assert begun is not None
                for k in range(begun[1]):
                    sequence = int(rest[0]) + k
                    assert sequence not in told.acknowledged, f"{sequence} was acknowledged twice"
                    told.acknowledged[sequence] = (who, begun[0] + k)
                begun = None
            elif kind == "saw":
                told.seen.append((int(rest[0]), int(rest[1]), int(rest[2])))
            elif kind == "lost":
                told.lost.append((int(rest[0]), int(rest[1])))
            else:
                told.words.add(" ".join([kind, *rest]))
        if begun:
            told.open += range(begun[0], sum(begun))
        return told


def check_published(
    file: RingFile, base: int, head: int, told: dict[int, Told], gap: int = 0
) -> dict[int, tuple[int, int]]:
    """G4, G5: every acknowledged event is there, once; what else is there is one whole call that was cut
    short. Returns what every sequence from `base` on is. gap: how many sequences each jump left out."""
    acknowledged: dict[int, tuple[int, int]] = {}
    for log in told.values():
        twice = acknowledged.keys() & log.acknowledged.keys()
        assert not twice, f"two writers were told the same sequences: {sorted(twice)}"
        acknowledged |= log.acknowledged
    assert not acknowledged or max(acknowledged) < head, "an acknowledged event was lost"
    window = {event.sequence: origin(event.data) for event in file.events()}
    history = acknowledged | {sequence: of for sequence, of in window.items() if sequence >= base}
    wrong = {s: (acknowledged[s], history[s]) for s in acknowledged if acknowledged[s] != history[s]}
    assert not wrong, f"acknowledged, and something else is there: {wrong}"
    missing = set(range(base, head)) - history.keys()
    if gap:
        missing -= left_out(missing, gap)
    assert not missing, f"nobody knows what these were: {sorted(missing)}"
    surplus = [history[s] for s in sorted(history) if base <= s < head and s not in acknowledged]
    may_be = {(who, number) for who, log in told.items() for number in log.open}
    assert set(surplus) <= may_be, f"published, and nobody wrote it: {set(surplus) - may_be}"
    assert len(surplus) == len(set(surplus)), "published twice"
    for who in told:
        numbers = [number for name, number in history.values() if name == who]
        ordered = [history[s][1] for s in sorted(history) if history[s][0] == who]
        assert ordered == sorted(set(numbers)), f"{NAMES[who]}: not in order"
    timestamps = [event.timestamp for event in file.events()]
    assert timestamps == sorted(timestamps)
    return history


def left_out(missing: set[int], gap: int) -> set[int]:
    """Those that jumps explain: so many in a row, or a multiple of it."""
    explained: set[int] = set()
    for first in sorted(s for s in missing if s - 1 not in missing):
        last = next(s for s in range(first, first + len(missing) + 1) if s + 1 not in missing)
        if (last + 1 - first) % gap == 0:
            explained |= set(range(first, last + 1))
    return explained


def check_seen(
    name: str,
    told: Told,
    history: dict[int, tuple[int, int]],
    first: int | None,
    head: int,
    may_miss: int = 0,
) -> None:
    """G1 to G3: a reader saw every event from `first` to `head`, once, in order, but for gaps it was told of.
    may_miss: so many events may have been returned to an interrupted program that could not say so."""
    sequences = [sequence for sequence, _, _ in told.seen]
    assert sequences == sorted(set(sequences)), f"{name}: twice, or out of order: {sequences}"
    for sequence, who, number in told.seen:
        if sequence in history:
            assert history[sequence] == (who, number), f"{name}: {sequence} was another event"
    if first is None:
        return
    gone = {s for a, b in told.lost for s in range(a, b + 1)}
    assert not gone & set(sequences), f"{name}: was told to have lost what it has seen"
    missing = set(range(first, head)) - set(sequences) - gone
    assert len(missing) <= may_miss, f"{name}: silently lost {sorted(missing)} of {first}..{head - 1}"
