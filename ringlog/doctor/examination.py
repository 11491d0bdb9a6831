"""Looking at a ring twice, a moment apart: whoever moves in between is not stuck."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringlog import _core, describe, files, lock, users
from ringlog.errors import CorruptStream, RinglogError
from ringlog.events import ReaderInfo, RingInfo, WriterInfo

Place = tuple[int, int]  # a slot and its epoch: names one holder for ever
BETWEEN = 0.5  # seconds between the two looks
_MAGIC_OFFSET = 64
_MAGIC = b"ringlog\n"


@dataclass(frozen=True)
class Look:
    """What a ring looked like at one moment. semaphore: its value; None: missing, or not ours to use."""

    info: RingInfo
    writers: dict[Place, WriterInfo]
    readers: dict[Place, ReaderInfo]
    owner: int
    contended: bool
    semaphore: int | None
    semaphore_missing: bool
    attaching: bool
    max_readers: int
    boot_id: bytes
    file_id: bytes
    last_timestamp: int
    now: int


@dataclass(frozen=True)
class Examination:
    """Two looks at a ring, or why there are none. users: the other processes seen to have it mapped."""

    path: str
    looks: tuple[Look, Look] | None
    seconds: float
    error: Exception | None = None
    users: tuple[int, ...] = ()

    @property
    def last(self) -> Look:
        assert self.looks is not None
        return self.looks[1]

    def progress(self, place: Place) -> int | None:
        """How many events this reader has finished between the looks; None: it was not there at the first."""
        assert self.looks is not None
        before, after = self.looks[0].readers.get(place), self.looks[1].readers[place]
        return None if before is None else after.sequence - before.sequence

    def reader_state(self, place: Place) -> str:
        """idle, reading, slow, stuck, stopped, dead, or away (a name that is kept)."""
        reader = self.last.readers[place]
        if reader.state == "dead":
            return "away" if reader.name else "dead"
        if reader.state == "stopped" or reader.lag == 0:
            return "stopped" if reader.state == "stopped" else "idle"
        if reader.holds_up and self.progress(place) == 0:
            return "stuck"
        return "slow" if reader.holds_up or reader.fill > 0.5 else "reading"


def look(paths: Iterable[str], between: float = BETWEEN) -> list[Examination]:
    """Examine rings; all of them in the same two moments, `between` seconds apart. Needs read permission."""
    begun = [_begin(os.path.abspath(path)) for path in paths]
    if any(not isinstance(first, Exception) for _, first in begun):
        time.sleep(between)
    mapped = {pid: users.mapped(pid) for pid in users.processes() if pid != os.getpid()} if begun else {}
    return [_finish(path, first, mapped) for path, first in begun]


def _begin(path: str) -> tuple[str, tuple[_core.Mapping, Look, float] | Exception]:
    try:
        mapping, _ = files.attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)
        return path, (mapping, _look(path, mapping), time.monotonic())
    except (OSError, RinglogError) as error:
        return path, error


def _finish(
    path: str, first: tuple[_core.Mapping, Look, float] | Exception, mapped: dict[int, set[users.Place]]
) -> Examination:
    if isinstance(first, Exception):
        return Examination(path, None, 0.0, first)
    mapping, before, when = first
    try:
        after = _look(path, mapping)
        places = users.place_of(path)
        used_by = tuple(pid for pid, theirs in mapped.items() if places & theirs)
        return Examination(path, (before, after), time.monotonic() - when, users=used_by)
    except (OSError, RinglogError) as error:
        return Examination(path, None, 0.0, error)


def _look(path: str, mapping: _core.Mapping) -> Look:
    ring = mapping.snapshot()
    if not ring["whole"]:
        raise CorruptStream(f"{path}: head and tail of the stream are damaged")
    value, missing = _semaphore(ring["file_id"])
    return Look(
        info=describe.describe(mapping, path),
        writers=describe.writers_of(mapping, ring),
        readers=describe.readers_of(path, mapping, ring),
        owner=ring["owner"] & ~describe.CONTENDED,
        contended=bool(ring["owner"] & describe.CONTENDED),
        semaphore=value,
        semaphore_missing=missing,
        attaching=mapping.held(_core.TABLE_LEASE) or mapping.held(_core.RESTART_LEASE),
        max_readers=ring["max_readers"],
        boot_id=ring["boot_id"],
        file_id=ring["file_id"],
        last_timestamp=ring["last_timestamp"] if ring["event_count"] else 0,
        now=time.time_ns(),
    )


def _semaphore(file_id: bytes) -> tuple[int | None, bool]:
    try:
        return _core.Semaphore(lock.semaphore_name(file_id)).value, False
    except FileNotFoundError:
        return None, True
    except OSError:
        return None, False


def rings_in(folder: str) -> Sequence[str]:
    """The rings below a folder that can be read, in order."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with contextlib.suppress(OSError):
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    if os.pread(fd, 8, _MAGIC_OFFSET) == _MAGIC:
                        found.append(path)
                finally:
                    os.close(fd)
    return sorted(found)
