"""`ringlog.info`: what a ring holds and who uses it, without changing anything."""

from __future__ import annotations

import os
import struct
import time

from ringlog import _core, liveness, slots
from ringlog.errors import CorruptStream
from ringlog.events import ReaderInfo, RingInfo, WriterInfo
from ringlog.files import StrPath, attach, breakage

ACTIVE_NS = 1_000_000_000
CONTENDED = 1 << 63
_TIMESTAMP = struct.Struct("<q")
_FILE_ID_OFFSET = 144


def info(path: StrPath) -> RingInfo:
    """Return a RingInfo: a snapshot of the ring, its writers and its readers.

    Needs only read permission, changes nothing, never waits. Raises FileNotFoundError, PermissionError,
    NotARing, VersionMismatch, StreamTruncated, CorruptStream.
    """
    path = os.path.abspath(os.fspath(path))
    mapping, _ = attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)
    return describe(mapping, path)


def describe(mapping: _core.Mapping, path: str) -> RingInfo:
    """The same of a ring that is mapped already; the path is told, and where events are timed. Raises
    CorruptStream, StreamTruncated."""
    seen = mapping.snapshot()
    if (mapping.broken or not seen["whole"]) and (error := breakage(mapping, path)):
        raise error
    if not seen["whole"]:
        raise CorruptStream(f"{path}: head and tail of the stream are damaged")
    writers = writers_of(mapping, seen)
    readers = readers_of(path, mapping, seen)
    if mapping.broken and (error := breakage(mapping, path)):
        raise error  # some of it may be zeros
    last = seen["last_owner"]
    return RingInfo(
        path=path,
        stream_id=seen["stream_id"].hex(),
        version=seen["version"],
        capacity=seen["capacity"],
        data_start=seen["data_start"],
        write_offset=seen["write_offset"],
        event_count=seen["event_count"],
        start_timestamp=seen["start_timestamp"],
        tail_offset=seen["tail_offset"],
        tail_count=seen["tail_count"],
        ended=seen["ended"],
        writer=writers.get(owner_of(last)) if last else None,
        writers=tuple(writers.values()),
        readers=tuple(readers.values()),
    )


def writers_of(
    mapping: _core.Mapping, ring: _core._Snapshot, now: int | None = None
) -> dict[tuple[int, int], WriterInfo]:
    """By slot and epoch. now: Unix nanoseconds that ages count from; None: the clock's."""
    found = {}
    now = time.time_ns() if now is None else now
    for slot in range(_core.MAX_WRITERS):
        seen = slots.writer_slot(mapping, slot)
        if seen.status == _core.SLOT_ACTIVE:
            found[slot, seen.epoch] = _writer_info(mapping, slot, seen, ring["owner"], now)
    return found


def readers_of(
    path: str, mapping: _core.Mapping, ring: _core._Snapshot, now: int | None = None
) -> dict[tuple[int, int], ReaderInfo]:
    """By slot and epoch. now: as for `writers_of`."""
    found = {}
    now = time.time_ns() if now is None else now
    for slot in range(ring["max_readers"]):
        seen = slots.reader_slot(mapping, slot)
        if seen.kept:
            found[slot, seen.epoch] = _reader_info(path, mapping, slot, seen, ring, now)
    return found


def owner_of(word: int) -> tuple[int, int]:
    """The slot and the epoch that an owner word names."""
    return word & 0xFFFF, (word & ~CONTENDED) >> 16


def _writer_info(
    mapping: _core.Mapping, slot: int, seen: slots.WriterSlot, owner: int, now: int
) -> WriterInfo:
    leased = mapping.held(liveness.writer_offset(slot))
    age = now - (seen.last_publish or seen.opened)
    # Below 0: the clock was set back since, and nothing was published by it.
    active = bool(seen.last_publish) and 0 <= age < ACTIVE_NS
    return WriterInfo(
        pid=seen.pid,
        state=liveness.state(seen.identity, alive=leased, active=active),
        age=max(0, age) / 1e9,
        started=seen.start_time / 1e9 if seen.start_time else None,
        leased=leased,
        process=liveness.condition(seen.identity),
        holds_lock=owner_of(owner) == (slot, seen.epoch),
    )


def _reader_info(
    path: str, mapping: _core.Mapping, slot: int, seen: slots.ReaderSlot, ring: _core._Snapshot, now: int
) -> ReaderInfo:
    lag = max(0, ring["event_count"] - seen.sequence)
    leased = mapping.held(liveness.reader_offset(slot))
    counts = seen.status == _core.SLOT_ACTIVE and leased
    unread = max(0, ring["write_offset"] - max(seen.position, ring["tail_offset"]))
    return ReaderInfo(
        name=seen.name,
        pid=seen.pid,
        state=liveness.state(seen.identity, alive=counts, active=lag > 0),
        lossless=bool(seen.flags & _core.READER_LOSSLESS),
        sequence=seen.sequence,
        lag=lag,
        started=seen.start_time / 1e9 if seen.start_time else None,
        leased=leased,
        process=liveness.condition(seen.identity),
        behind=_behind(path, mapping, seen.position, ring, now) if lag else 0.0,
        fill=min(1.0, unread / ring["capacity"]) if lag else 0.0,
        holds_up=counts and seen.position < ring["gate_offset"] > ring["tail_offset"],
    )


def _behind(
    path: str, mapping: _core.Mapping, position: int, ring: _core._Snapshot, now: int
) -> float | None:
    """Seconds since the event at `position` was published. By reading the file, not the mapping: that this
    place was overwritten, or cut off, is no reason to fail here."""
    if not ring["tail_offset"] <= position < ring["write_offset"]:
        return None
    start, capacity = ring["data_start"], ring["capacity"]
    offset = (position - _core.FIRST_POSITION) % capacity
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        raw = os.pread(fd, 8, start + offset)[: capacity - offset]
        raw += os.pread(fd, 8 - len(raw), start)  # an entry goes round the end of the ring
        same = os.pread(fd, 16, _FILE_ID_OFFSET) == ring["file_id"]
        if not same or len(raw) < 8 or mapping.tail()[0] > position:
            return None
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)
    timestamp: int = _TIMESTAMP.unpack(raw)[0]
    return max(0, now - timestamp) / 1e9
