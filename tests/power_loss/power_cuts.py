"""Power cuts, by the thousand: record a scenario, cut the power at its moments, open what may be left."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from disk_model import Disk
from history import History
from log_check import check_log, remove_log
from log_disk import LogDisk
from log_history import LogHistory
from recorder import Recording
from recovery_check import check, remove

Ignore = Callable[[set[int]], bool]


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

    image: Any  # of what `kind` says, as the others
    history: Any
    found: Any


class Kind(NamedTuple):
    """What is recorded: its disk, what its users know, how an image is opened and checked, and removed."""

    disk: Callable[[Ignore], Any]
    history: Callable[[], Any]
    check: Callable[..., Any]
    remove: Callable[[str], None]


RING = Kind(Disk, History, check, remove)
LOG = Kind(LogDisk, LogHistory, check_log, remove_log)


def moments(recording: Recording, history: Any, disk: Any) -> Iterator[tuple[int, Any, Any]]:
    """The moments just before a sync ends: between two of them choices only become more.

    Also behind the last step. The disk and the history change when the next one is asked for.
    """
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
    kind: Kind = RING,
    history: Any = None,
    ignore: Ignore = lambda pages: False,
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
    for number, disk, now in moments(recording, history or kind.history(), kind.disk(ignore)):
        if dice.random() > moments_at_most / total:
            continue
        tally.moments += 1
        for image in disk.images(dice, each):
            # What was promised counts as well: the same bytes may have been enough a moment ago.
            print_ = hashlib.blake2b(_bytes(image.data), digest_size=16)
            print_.update(
                repr((now.promised, len(now.published), len(now.pending), getattr(now, "clean", 0))).encode()
            )
            if print_.digest() in tried:
                continue
            tried.add(print_.digest())
            tally.images += 1
            tally.kinds[image.name] = tally.kinds.get(image.name, 0) + 1
            try:
                found = kind.check(image, now, path, read_only=read_only)
            except Exception as error:
                kind.remove(path)
                raise Broken(
                    f"power cut before step {number} of {len(recording.steps)}, image {tally.images} "
                    f"({image.name}), seed {seed}: {type(error).__name__}: {error}"
                ) from error
            if found:
                tally.slowest = max(tally.slowest, found.seconds)
                if survivors is not None:
                    survivors.append(Survivor(image, now.copy(), found))
    kind.remove(path)
    return tally


def _bytes(data: bytes | dict[str, bytes] | None) -> bytes:
    """All that is in an image, to tell it from others."""
    if isinstance(data, dict):
        return b"".join(b"%s %d %s" % (name.encode(), len(data[name]), data[name]) for name in sorted(data))
    return data or b""
