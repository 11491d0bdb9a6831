"""`ringlog.info`: what a ring holds and who uses it, without changing anything."""

from __future__ import annotations

import os
import time

from ringlog import _core, liveness
from ringlog.errors import CorruptStream
from ringlog.events import ReaderInfo, RingInfo, WriterInfo
from ringlog.files import StrPath, attach, breakage
from ringlog.slots import ReaderSlot, WriterSlot, reader_slot

ACTIVE_NS = 1_000_000_000


def info(path: StrPath) -> RingInfo:
    """Return a RingInfo: a snapshot of the ring, its writers and its readers.

    Needs only read permission, changes nothing, never waits. Raises FileNotFoundError, PermissionError,
    NotARing, VersionMismatch, StreamTruncated, CorruptStream.
    """
    path = os.path.abspath(os.fspath(path))
    return describe(attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)[0], path)


def describe(mapping: _core.Mapping, path: str) -> RingInfo:
    """The same of a ring that is mapped; `path` is only told."""
    seen = mapping.snapshot()
    if (mapping.broken or not seen["whole"]) and (error := breakage(mapping, path)):
        raise error
    if not seen["whole"]:
        raise CorruptStream(f"{path}: head and tail of the stream are damaged")
    writers = {}
    for slot in range(_core.MAX_WRITERS):
        writer = WriterSlot(*mapping.writer_slot(slot))
        if writer.status == _core.SLOT_ACTIVE:
            writers[slot, writer.epoch] = _writer_info(mapping, slot, writer)
    readers = []
    for slot in range(seen["max_readers"]):
        reader = reader_slot(mapping, slot)
        if reader.kept:
            readers.append(_reader_info(mapping, slot, reader, seen["event_count"]))
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
        writer=writers.get((last & 0xFFFF, last >> 16)) if last else None,
        writers=tuple(writers.values()),
        readers=tuple(readers),
    )


def _writer_info(mapping: _core.Mapping, slot: int, seen: WriterSlot) -> WriterInfo:
    age = time.time_ns() - (seen.last_publish or seen.opened)
    state = liveness.state(
        seen.pid,
        seen.start_time,
        alive=mapping.held(liveness.writer_offset(slot)),
        active=bool(seen.last_publish) and age < ACTIVE_NS,
    )
    return WriterInfo(seen.pid, state, max(0, age) / 1e9)


def _reader_info(mapping: _core.Mapping, slot: int, seen: ReaderSlot, event_count: int) -> ReaderInfo:
    lag = max(0, event_count - seen.sequence)
    alive = seen.status == _core.SLOT_ACTIVE and mapping.held(liveness.reader_offset(slot))
    return ReaderInfo(
        name=seen.name,
        pid=seen.pid,
        state=liveness.state(seen.pid, seen.start_time, alive=alive, active=lag > 0),
        lossless=bool(seen.flags & _core.READER_LOSSLESS),
        sequence=seen.sequence,
        lag=lag,
    )
