"""What a disk may hold after a power cut, told from what was stored and what was synced.

Which states each sector may be in says sectors.py; here is what is particular to a ring.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from recorder import Step
from sectors import SECTOR, Sectors, Versions

HEADER_BYTES = 1 << 16  # of the rings that the scenarios make


class Image(NamedTuple):
    name: str
    data: bytes | None  # None: there is no file of that name


class Disk(Sectors):
    """The disk beneath one recorded ring. `feed` it the log's steps in their order."""

    def __init__(self, ignore: Callable[[set[int]], bool] = lambda pages: False) -> None:
        super().__init__(ignore)
        self.named = self.name_kept = False

    def feed(self, step: Step) -> None:
        """Take one step, but for the end of a sync."""
        self.take(step)
        if step.kind == "B":
            self.named = self.name_kept = True
        elif step.kind == "L":
            self._grow(step.extra)
            self.named = True
        elif step.kind == "D":
            self.name_kept = self.named

    # ---- what may be there ----

    def images(self, dice: random.Random, count: int) -> Iterator[Image]:
        """The nasty ones, every choice of old or new if they are few, and `count` at random."""
        if not self.name_kept:
            yield Image("no name", None)
        if not self.named:
            return
        yield Image("all new", self.new_where(lambda number: True))
        if not self.unsure:
            return
        first, last, records = HEADER_BYTES // SECTOR, max(self.unsure), (1, 2)
        for name, wanted in (
            ("all old", lambda number: False),
            ("only the header new", lambda number: number < first),
            ("only the data new", lambda number: number >= first),
            ("only the stream's line new", lambda number: number == 0),
            ("only the commit records new", lambda number: number in records),
            ("all but the commit records new", lambda number: number not in records),
            ("only the commit records and the data's end new", lambda number: number in (*records, last)),
        ):
            yield Image(name, self.new_where(wanted))
        for rest in (0, -1):
            yield Image("the commit records half written", self.build(_half(records, rest)))
        if len(self.unsure) <= 5:
            for size in range(1, len(self.unsure)):
                for chosen in itertools.combinations(sorted(self.unsure), size):
                    yield Image("old or new", self.new_where(chosen.__contains__))
        for k in range(count):
            torn = k % 2 == 1
            yield Image("torn into sectors" if torn else "whole pages", self.mixed(dice, torn=torn))


def _half(numbers: tuple[int, ...], rest: int) -> Callable[[int, Versions], bytes]:
    """These sectors as they were half way, all others old (0) or new (-1)."""

    def choose(number: int, versions: Versions) -> bytes:
        return versions.states[len(versions.states) // 2 if number in numbers else rest]

    return choose
