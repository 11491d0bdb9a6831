"""One file on a disk, sector by sector: what each may be after a power cut.

Between two syncs the kernel may have written any page back at any moment, or not at all, and a page that was
being written when the power went may be there in part. So each sector of 512 bytes, by itself, is one of the
states that it had since it was last surely on disk. That covers whole pages and torn ones; a sector is never
torn, which is what disks promise.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from recorder import PAGE, Step

SECTOR = 512
IN_PAGE = PAGE // SECTOR


class Versions(NamedTuple):
    """The states that a sector may be in, the oldest first, and since which step each."""

    since: list[int]
    states: list[bytes]


class Sectors:
    """The sectors of one recorded file. `take` its stores and syncs in their order.

    ignore: tells of a sync that is to count as never called, to see what a program without it would risk.
    """

    def __init__(self, ignore: Callable[[set[int]], bool] = lambda pages: False) -> None:
        self.sectors: list[Versions] = []
        self.dirty: set[int] = set()  # pages that the kernel would write at a sync
        self.unsure: set[int] = set()  # sectors with more than one state
        self._began: list[tuple[int, int, bool]] = []  # page, step, was it dirty
        self._ignore = ignore
        self._step = 0

    def _grow(self, size: int) -> None:
        while len(self.sectors) * SECTOR < size:
            self.sectors.append(Versions([-1], [bytes(SECTOR)]))

    def take(self, step: Step) -> None:
        """Take one step, but for the end of a sync."""
        self._step += 1
        if step.kind == "B":
            self._grow(step.extra)
            for k in range(len(self.sectors)):
                data = step.data[k * SECTOR : (k + 1) * SECTOR].ljust(SECTOR, b"\0")
                self.sectors[k] = Versions([-1], [data])
        elif step.kind == "S":
            self._store(step.offset, step.data)
        elif step.kind == "P":
            self._began.append((step.offset // PAGE, self._step, step.offset // PAGE in self.dirty))
            self.dirty.discard(step.offset // PAGE)

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

    def build(self, choose: Callable[[int, Versions], bytes]) -> bytes:
        return b"".join(
            choose(number, versions) if number in self.unsure else versions.states[-1]
            for number, versions in enumerate(self.sectors)
        )

    def new_where(self, wanted: Callable[[int], bool]) -> bytes:
        """Sectors as they are now where that is wanted, the others as they were when last synced."""
        return self.build(lambda number, versions: versions.states[-1 if wanted(number) else 0])

    def mixed(self, dice: random.Random, *, torn: bool) -> bytes:
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

        return self.build(choose)
