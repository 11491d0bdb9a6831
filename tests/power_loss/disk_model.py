"""What a disk may hold after a power cut, told from what was stored and what was synced.

Between two syncs the kernel may have written any page back at any moment, or not at all, and a page that was
being written when the power went may be there in part. So each sector of 512 bytes, by itself, is one of the
states that it had since it was last surely on disk. That covers whole pages and torn ones; a sector is never
torn, which is what disks promise.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from recorder import PAGE, Step

SECTOR = 512
IN_PAGE = PAGE // SECTOR
HEADER_BYTES = 1 << 16  # of the rings that the scenarios make


class Versions(NamedTuple):
    """The states that a sector may be in, the oldest first, and since which step each."""

    since: list[int]
    states: list[bytes]


class Image(NamedTuple):
    name: str
    data: bytes | None  # None: there is no file of that name


class Disk:
    """The disk beneath one recorded ring. `feed` it the log's steps in their order.

    ignore: tells of a sync that is to count as never called, to see what a program without it would risk.
    """

    def __init__(self, ignore: Callable[[set[int]], bool] = lambda pages: False) -> None:
        self.sectors: list[Versions] = []
        self.dirty: set[int] = set()  # pages that the kernel would write at a sync
        self.unsure: set[int] = set()  # sectors with more than one state
        self.named = self.name_kept = False
        self._syncing: list[int] = []
        self._began: list[tuple[int, int, bool]] = []  # page, step, was it dirty
        self._ignore = ignore
        self._step = 0

    def _grow(self, size: int) -> None:
        while len(self.sectors) * SECTOR < size:
            self.sectors.append(Versions([-1], [bytes(SECTOR)]))

    def feed(self, step: Step) -> None:
        """Take one step, but for the end of a sync."""
        self._step += 1
        if step.kind == "B":
            self._grow(step.extra)
            for k in range(len(self.sectors)):
                self.sectors[k] = Versions([-1], [step.data[k * SECTOR : (k + 1) * SECTOR]])
            self.named = self.name_kept = True
        elif step.kind == "S":
            self._store(step.offset, step.data)
        elif step.kind == "P":
            self._began.append((step.offset // PAGE, self._step, step.offset // PAGE in self.dirty))
            self.dirty.discard(step.offset // PAGE)
        elif step.kind == "L":
            self._grow(step.extra)
            self.named = True
        elif step.kind == "D":
            self.name_kept = self.named

    def _store(self, offset: int, data: bytes) -> None:
        self._grow(offset + len(data))
        self.dirty.add(offset // PAGE)
        at = 0
        while at < len(data):
            number, within = divmod(offset + at, SECTOR)
            part = data[at : at + SECTOR - within]
            self.dirty.add(number // IN_PAGE)
            versions = self.sectors[number]
            now = versions.states[-1]
            new = now[:within] + part + now[within + len(part) :]
            if new != now:
                versions.since.append(self._step)
                versions.states.append(new)
                self.unsure.add(number)
            at += len(part)

    def end_sync(self, step: Step) -> None:
        """A sync has ended. A failed one has promised nothing, but the kernel takes its pages for clean."""
        began, self._began = self._began, []
        if self._ignore({page for page, _, _ in began}):
            self.dirty.update(page for page, _, was_dirty in began if was_dirty)
            return
        if step.extra:
            return
        for page, when, was_dirty in began:
            for number in range(page * IN_PAGE, min((page + 1) * IN_PAGE, len(self.sectors))):
                since, states = self.sectors[number]
                if not was_dirty or len(states) == 1:
                    continue
                kept = max(k for k in range(len(since)) if since[k] <= when)
                del since[:kept], states[:kept]
                if len(states) == 1:
                    self.unsure.discard(number)

    # ---- what may be there ----

    def build(self, choose: Callable[[int, Versions], bytes]) -> bytes:
        return b"".join(
            choose(number, versions) if number in self.unsure else versions.states[-1]
            for number, versions in enumerate(self.sectors)
        )

    def new_where(self, wanted: Callable[[int], bool]) -> bytes:
        """Sectors as they are now where that is wanted, the others as they were when last synced."""
        return self.build(lambda number, versions: versions.states[-1 if wanted(number) else 0])

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
            yield self._any(dice, torn=k % 2 == 1)

    def _any(self, dice: random.Random, *, torn: bool) -> Image:
        """Pages as they were at some moment each, or sectors."""
        moments: dict[int, int] = {}
        lean = dice.choice([0.2, 0.5, 0.8])  # mostly old, or mostly new

        def choose(number: int, versions: Versions) -> bytes:
            place = number if torn else number // IN_PAGE
            if place not in moments:
                either = dice.random()
                if either < 0.6:
                    moments[place] = self._step if dice.random() < lean else -1
                else:
                    moments[place] = dice.randint(min(versions.since[-1], self._step), self._step)
                    moments[place] = dice.choice([*versions.since, moments[place]])
            return next(
                state
                for since, state in zip(reversed(versions.since), reversed(versions.states), strict=True)
                if since <= moments[place] or since == versions.since[0]
            )

        return Image("torn into sectors" if torn else "whole pages", self.build(choose))


def _half(numbers: tuple[int, ...], rest: int) -> Callable[[int, Versions], bytes]:
    """These sectors as they were half way, all others old (0) or new (-1)."""

    def choose(number: int, versions: Versions) -> bytes:
        return versions.states[len(versions.states) // 2 if number in numbers else rest]

    return choose
