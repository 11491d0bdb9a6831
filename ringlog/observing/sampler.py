"""Looking at every ring, and comparing with the look before."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ringlog import _core, describe, files, slots
from ringlog.errors import CorruptStream, NotARing, RinglogError
from ringlog.events import ReaderInfo, WriterInfo
from ringlog.observing import diagnosis
from ringlog.observing.bridges import bridges_of
from ringlog.observing.processes import ProcessTable
from ringlog.observing.sample import ReaderSample, RingSample, Sample, WriterSample
from ringlog.observing.search import Search

SHARED_MEMORY = "/dev/shm"
SETTLED = 0.5  # seconds: looks are compared over as much, where there are older ones
TOO_SOON = 0.05  # seconds in which nobody need have moved


@dataclass(frozen=True)
class _Look:
    """A ring at one moment, as far as the next look needs it. finished: by slot and epoch, a sequence."""

    when: float
    identity: tuple[bytes, bytes, int]
    events: int
    position: int
    finished: dict[tuple[int, int], int]


class Sampler:
    """Looks at rings again and again.

    places: rings, and folders that are looked through each time, since rings come and go. A place that was
    named and can't be read is in the sample with its error; what was found in a folder and can't be read for
    want of permission is in `Sample.denied`. clock (Unix nanoseconds), monotonic (seconds) and processes are
    there to be replaced by a test.
    """

    def __init__(
        self,
        places: Sequence[str | os.PathLike[str]] = (SHARED_MEMORY,),
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
        processes: ProcessTable | None = None,
    ) -> None:
        self._search = Search([os.fspath(place) for place in places])
        self._clock = clock
        self._monotonic = monotonic
        self._processes = processes or ProcessTable(monotonic)
        self._before: dict[str, list[_Look]] = {}
        self._last: float | None = None

    def sample(self) -> Sample:
        """Look at every ring. Never waits; what goes wrong with a ring is told there, and none is raised."""
        self._processes.next_round()
        paths, denied = self._search.look()
        now = self._monotonic()
        seconds = 0.0 if self._last is None else now - self._last
        self._last = now
        rings = []
        looks: dict[str, list[_Look]] = {}
        for path in paths:
            try:
                ring, looks[path] = self._ring(path)
            except (OSError, RinglogError) as error:
                gone = isinstance(error, FileNotFoundError | NotARing)
                if gone and not self._search.named(path):
                    continue  # it was removed, or is another file by now
                ring = RingSample(path, error)
            rings.append(ring)
        self._before = looks
        bridges = bridges_of(ring.path for ring in rings if ring.error is None)
        rings = [replace(ring, bridges=bridges.get(ring.path, ())) for ring in rings]
        return Sample(self._clock(), seconds, tuple(rings), tuple(denied))

    def _ring(self, path: str) -> tuple[RingSample, list[_Look]]:
        mapping, _ = files.attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)
        when, now = self._monotonic(), self._clock()
        seen = mapping.snapshot()
        if (mapping.broken or not seen["whole"]) and (error := files.breakage(mapping, path)):
            raise error
        if not seen["whole"]:
            raise CorruptStream(f"{path}: head and tail of the stream are damaged")
        writers = describe.writers_of(mapping, seen, now)
        readers = describe.readers_of(path, mapping, seen, now)
        # Behind a jump too it is another: the events that were left out came at no rate.
        identity = (seen["stream_id"], seen["file_id"], seen["jumped"])
        finished = {place: reader.sequence for place, reader in readers.items()}
        look = _Look(when, identity, seen["event_count"], seen["write_offset"], finished)
        looks = _compared(self._before.get(path, []), look)
        before = looks[0] if looks and when - looks[0].when >= TOO_SOON else None
        people = [self._reader(mapping, place, one, seen, before, look) for place, one in readers.items()]
        capacity, seconds = seen["capacity"], when - before.when if before else 0.0
        rate = (look.position - before.position) / seconds if before else None
        ring = RingSample(
            path=path,
            stream_id=seen["stream_id"].hex(),
            capacity=capacity,
            events=look.events,
            bytes=look.position - _core.FIRST_POSITION,
            oldest=seen["tail_count"],
            newest=seen["last_timestamp"] if look.events else 0,
            ended=seen["ended"],
            events_per_second=(look.events - before.events) / seconds if before else None,
            bytes_per_second=rate,
            unread=max((one.unread for one in people if one.state not in ("dead", "away")), default=0.0),
            kept=min(1.0, (look.position - seen["tail_offset"]) / capacity),
            holds=capacity / rate if rate else None,
            writers=self._writers(mapping, writers, any(one.holds_up for one in people)),
            readers=tuple(people),
        )
        if mapping.broken and (error := files.breakage(mapping, path)):
            raise error  # some of it may be zeros
        return ring, [*looks, look]

    def _writers(
        self, mapping: _core.Mapping, writers: dict[tuple[int, int], WriterInfo], waits: bool
    ) -> tuple[WriterSample, ...]:
        found = []
        for (number, epoch), writer in writers.items():
            others = any(one.state in ("active", "idle") for one in writers.values() if one is not writer)
            state, severity, why = diagnosis.of_writer(writer, others, waits)
            slot = slots.writer_slot(mapping, number)
            visible = slot.epoch == epoch and state != "dead"
            found.append(
                WriterSample(
                    slot=number,
                    pid=writer.pid,
                    state=state,
                    age=writer.age,
                    holds_lock=writer.holds_lock,
                    process=self._processes.look(slot.identity) if visible else None,
                    severity=severity,
                    why=why,
                )
            )
        return tuple(found)

    def _reader(
        self,
        mapping: _core.Mapping,
        place: tuple[int, int],
        reader: ReaderInfo,
        ring: _core._Snapshot,
        before: _Look | None,
        look: _Look,
    ) -> ReaderSample:
        slot = slots.reader_slot(mapping, place[0])
        same = slot.epoch == place[1]
        lost = _lost(reader, slot.lost_from if same else -1, ring)
        pace = None
        if before is not None and place in before.finished:
            pace = diagnosis.Pace(
                seconds=look.when - before.when,
                finished=max(0, reader.sequence - before.finished[place]),
                events=look.events - before.events,
                bytes=look.position - before.position,
            )
        state, severity, why = diagnosis.of_reader(reader, lost, pace, ring["capacity"])
        return ReaderSample(
            slot=place[0],
            name=reader.name,
            pid=reader.pid,
            state=state,
            lossless=reader.lossless,
            sequence=reader.sequence,
            lag=reader.lag,
            behind=reader.behind,
            unread=reader.fill,
            lost=lost,
            events_per_second=pace.finished / pace.seconds if pace else None,
            holds_up=reader.holds_up,
            process=self._processes.look(slot.identity) if same and reader.state != "dead" else None,
            severity=severity,
            why=why,
        )


def _compared(looks: list[_Look], look: _Look) -> list[_Look]:
    """The earlier looks at the same ring, from the newest on that is old enough to be compared with. Two who
    ask at the same time, of an exporter say, would else see everybody stuck."""
    looks = [one for one in looks if one.identity == look.identity]
    old = [one for one in looks if look.when - one.when >= SETTLED]
    return looks[max(0, len(old) - 1) :]


def _lost(reader: ReaderInfo, lost_from: int, ring: _core._Snapshot) -> int:
    """Events that are gone, and that the reader has not been told of for sure: up to where it stands, if a
    loss is noted in its slot; and up to the tail, if it stands before that."""
    place = max(reader.sequence, ring["tail_count"])
    first = reader.sequence if lost_from < 0 else min(lost_from, reader.sequence)
    return max(0, place - first)
