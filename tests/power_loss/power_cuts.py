"""Power cuts, by the thousand: record a scenario, cut the power at its moments, open what may be left."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from disk_model import Disk, Image
from history import History
from recorder import Recording
from recovery_check import Found, check, remove


@dataclass
class Tally:
    images: int = 0
    moments: int = 0
    slowest: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        self.images += other.images
        self.moments += other.moments
        self.slowest = max(self.slowest, other.slowest)
        for kind, count in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count


class Broken(AssertionError):
    """A promise that an image has broken, and where the power was cut."""


@dataclass
class Survivor:
    """An image that was opened, and what held when the power went."""

    image: Image
    history: History
    found: Found


def moments(
    recording: Recording, history: History, ignore: Callable[[set[int]], bool] = lambda pages: False
) -> Iterator[tuple[int, Disk, History]]:
    """The moments just before a sync ends: between two of them choices only become more.

    Also behind the last step. The disk and the history change when the next one is asked for.
    """
    disk = Disk(ignore)
    for number, step in enumerate(recording.steps):
        if step.kind in "ED" or (step.kind == "M" and b'"opened"' in step.data):
            yield number, disk, history
        if step.kind == "E":
            disk.end_sync(step)
        elif step.kind == "M":
            history.feed(json.loads(step.data))
        else:
            disk.feed(step)
    yield len(recording.steps), disk, history


def cut(
    recording: Recording,
    path: str,
    *,
    seed: int,
    each: int,
    moments_at_most: int = 1 << 30,
    history: History | None = None,
    ignore: Callable[[set[int]], bool] = lambda pages: False,
    survivors: list[Survivor] | None = None,
    read_only: bool = True,
) -> Tally:
    """Cut the power at the moments of a recording and check what may be left; Broken if a promise is.

    each: random images a moment, beside the nasty ones. survivors: what was opened is added to them. Call it
    inside of booted().
    """
    dice = random.Random(seed)
    tally = Tally()
    tried: set[bytes] = set()
    total = sum(step.kind in "ED" for step in recording.steps) + 1
    for number, disk, now in moments(recording, history or History(), ignore):
        if dice.random() > moments_at_most / total:
            continue
        tally.moments += 1
        for image in disk.images(dice, each):
            # What was promised counts as well: the same bytes may have been enough a moment ago.
            print_ = hashlib.blake2b(image.data or b"", digest_size=16)
            print_.update(repr((now.promised, len(now.published), len(now.pending), now.clean)).encode())
            if print_.digest() in tried:
                continue
            tried.add(print_.digest())
            tally.images += 1
            tally.kinds[image.name] = tally.kinds.get(image.name, 0) + 1
            try:
                found = check(image, now, path, read_only=read_only)
            except Exception as error:
                remove(path)
                raise Broken(
                    f"power cut before step {number} of {len(recording.steps)}, image {tally.images} "
                    f"({image.name}), seed {seed}: {type(error).__name__}: {error}"
                ) from error
            if found:
                tally.slowest = max(tally.slowest, found.seconds)
                if survivors is not None:
                    survivors.append(Survivor(image, now.copy(), found))
    remove(path)
    return tally
