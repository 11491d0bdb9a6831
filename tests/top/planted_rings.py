"""Rings in states that are worth a picture, the same each time: planted people, a clock that stands still.

The rings, their events, cursors, gates and leases are real. Pids, processes and times are planted: in the
slots, in what liveness sees of processes, and in the sampler's own table and clocks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from oracle import HEADER_SIZE, READER_SLOT_SIZE, WRITER_SLOT_SIZE, RingFile
from processes import run_forked

import ringlog
from ringlog import liveness
from ringlog.observing import ProcessSample, ProcessTable, Sample, Sampler

NOON = 1_738_324_800_000_000_000  # 2025-01-31T12:00:00Z
SECOND = 1_000_000_000
MIB = 1 << 20
WRITERS_OFFSET = 8192
SHOWN_FOLDER = "/dev/shm"
EVENT = b"x" * 48  # 64 bytes in the ring

# pid: name, state as in ps, share of a core, bytes of memory
PROCESSES: dict[int, tuple[str, str, float, int]] = {
    4101: ("feed", "S", 0.31, 18 * MIB),
    4102: ("python3", "S", 0.12, 25 * MIB),
    4201: ("camera", "S", 0.44, 212 * MIB),
    4202: ("detector", "R", 0.99, 1843 * MIB),
    4301: ("matcher", "S", 0.0, 31 * MIB),
    4302: ("python3", "T", 0.0, 22 * MIB),
    4402: ("python3", "S", 0.0, 21 * MIB),
}


class PlantedProcesses(ProcessTable):
    """The processes of `PROCESSES`, and no others."""

    def look(self, identity: liveness.Identity) -> ProcessSample | None:
        if identity.pid not in PROCESSES:
            return None
        name, _, cpu, memory = PROCESSES[identity.pid]
        return ProcessSample(name, cpu, 60.0, memory, memory)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOON

    def go_on(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def unix(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOON) / SECOND


def _sighted(pid: int) -> liveness.Sighting | None:
    if pid not in PROCESSES:
        return None
    name, state, _, _ = PROCESSES[pid]
    return liveness.Sighting(name, state, pid)


def plant_writer(path: str, pid: int, published: int) -> None:
    """The first writer slot's process, and when it last published."""
    with RingFile(path) as file:
        struct.pack_into("<qqqq", file.memory, WRITERS_OFFSET + 8, pid, NOON, NOON, pid)
        struct.pack_into("<q", file.memory, WRITERS_OFFSET + 64, published)
    assert WRITER_SLOT_SIZE == 128


def plant_reader(path: str, pid: int, slot: int) -> None:
    """A reader slot's process."""
    at = HEADER_SIZE + slot * READER_SLOT_SIZE
    with RingFile(path) as file:
        struct.pack_into("<qqq", file.memory, at + 8, pid, NOON, NOON)
        struct.pack_into("<q", file.memory, at + 40, pid)


def _append(writer: ringlog.Writer, clock: Clock, events: int, batches: int = 1) -> None:
    """Events of a second from now on, evenly."""
    for k in range(batches):
        writer.append_many([EVENT] * (events // batches), timestamp=clock.now + k * SECOND // batches)


_kept: list[ringlog.Writer] = []


def _die_writing(path: str) -> None:
    """In a child, which ends without closing it."""
    _kept.append(ringlog.Writer(path))
    _kept[0].append(EVENT, timestamp=NOON)


@contextlib.contextmanager
def planted(folder: Path) -> Iterator[Sample]:
    """A sample of four rings: a healthy one, one with a reader that is too slow, one whose reader is stopped,
    and one whose writer has died."""
    clock = Clock()
    ticks, frames, orders, quotes = (str(folder / name) for name in ("ticks", "frames", "orders", "quotes"))
    with contextlib.ExitStack() as stack:

        def write(path: str, capacity: int) -> ringlog.Writer:
            return stack.enter_context(ringlog.Writer(path, capacity=capacity, timeout=0))

        def read(path: str, name: str | None = None) -> ringlog.Reader:
            return stack.enter_context(ringlog.Reader(path, name=name, lossless=True, start="oldest"))

        feed, camera, matcher = write(ticks, 16 * MIB), write(frames, MIB), write(orders, 64 << 10)
        billing, detector = read(ticks, "billing"), read(frames)
        read(orders, "risk")
        with ringlog.Writer(quotes, capacity=64 << 10) as other:
            with ringlog.Reader(quotes, name="archive"):
                pass
            for _ in range(15):
                other.append_many([EVENT] * 100, timestamp=NOON)
        viewer = read(quotes, "viewer")
        viewer.read_many(1 << 20)
        viewer.commit()
        run_forked(lambda: _die_writing(quotes))
        stack.enter_context(mock.patch.object(liveness, "sighted", _sighted))
        stack.enter_context(mock.patch.object(liveness, "_frozen", return_value=False))
        sampler = Sampler([folder], clock=clock.unix, monotonic=clock.monotonic, processes=PlantedProcesses())
        _append(feed, clock, 100_000)
        billing.read_many(100_000)
        billing.commit()
        _append(camera, clock, 6000)
        detector.read_many(4000)
        with contextlib.suppress(ringlog.RingFull):
            for _ in range(10_000):
                matcher.append(EVENT, timestamp=clock.now)
        with RingFile(orders) as file:
            file.set_pair("gate", *file.places()[1])  # as a writer that waits for room has it
        sampler.sample()
        _append(feed, clock, 120_000, 1000)
        billing.read_many(119_400)
        billing.commit()
        _append(camera, clock, 6000, 1000)
        detector.read_many(1500)
        clock.go_on(1)
        for path, pid, published in (
            (ticks, 4101, clock.now),
            (frames, 4201, clock.now),
            (orders, 4301, NOON),
            (quotes, 4401, NOON),
        ):
            plant_writer(path, pid, published)
        for path, slot, pid in (
            *((ticks, 0, 4102), (frames, 0, 4202), (orders, 0, 4302)),
            *((quotes, 0, 4403), (quotes, 1, 4402)),
        ):
            plant_reader(path, pid, slot)
        yield _shown(sampler.sample(), folder)


def _shown(sample: Sample, folder: Path) -> Sample:
    rings = [
        dataclasses.replace(ring, path=ring.path.replace(str(folder), SHOWN_FOLDER), stream_id="5" * 32)
        for ring in sample.rings
    ]
    return dataclasses.replace(sample, rings=tuple(rings))
