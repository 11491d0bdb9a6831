"""The ring that pull fills: a copy of a stream, with its id and sequences, in a file of its own."""

from __future__ import annotations

import os
import struct
import time
from typing import NamedTuple

import ringlog
from ringlog import _core, ring
from ringlog.bridge.errors import BadMessage, OtherStream
from ringlog.bridge.message import Header, Stream
from ringlog.errors import CorruptStream, RingFull
from ringlog.files import StrPath
from ringlog.slots import reader_slot
from ringlog.writer import Writer

ENTRY = struct.Struct("<qII")
_DAMAGE = {
    _core.WALK_TIMESTAMP: "no time",
    _core.WALK_ORDER: "older than the one before",
    _core.WALK_CHECKSUM: "its checksum is another",
}
AHEAD = 3_600_000_000_000  # nanoseconds: as far as an append's timestamp may be ahead of the clock
PATIENCE = 2.0  # seconds for the writer before us to let go of the ring


class _Newest(NamedTuple):
    sequence: int
    timestamp: int
    data: bytes


class _CopyWriter(Writer):
    """Of a ring that is there: it has to be made for its stream."""

    _creates = False


class Target:
    """The ring, with its write lock: nobody else appends while it is open.

    Raises what opening a Writer raises: WriterBusy if another pull (or a writer) is at it.
    """

    def __init__(self, path: StrPath) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._writer = _CopyWriter(self._path, lock="session", timeout=PATIENCE)
        try:
            self._writer._set_timeout(0.0)
            seen = self._writer._mapping.snapshot()
            self.stream = Stream(seen["stream_id"].hex(), seen["start_timestamp"])
            self.id: str = seen["file_id"].hex()
            self._newest = self._look()
        except BaseException:
            self._writer.close()
            raise

    @classmethod
    def create(cls, path: StrPath, stream: Stream, capacity: int | None, mode: int, file_id: str) -> Target:
        """A new ring of this stream. Raises FileExistsError."""
        ring._create_copy(
            path,
            bytes.fromhex(stream.ring_id),
            stream.start,
            capacity or ring.DEFAULT_CAPACITY,
            mode=mode,
            file_id=bytes.fromhex(file_id),
        )
        return cls(path)

    @property
    def sequence(self) -> int:
        """Of the event that comes next."""
        return self._writer._mapping.head()[1]

    @property
    def is_new(self) -> bool:
        """Nothing was ever appended to it."""
        return self._writer._mapping.head()[0] == _core.FIRST_POSITION

    @property
    def unchecked(self) -> int | None:
        """The newest event that it held when it was opened, until check() has seen it."""
        return self._newest.sequence if self._newest else None

    def check_capacity(self, capacity: int) -> None:
        """Raise ValueError unless it has this one."""
        has = self._writer._mapping.snapshot()["capacity"]
        if has != capacity:
            raise ValueError(f"{self._path} has a capacity of {has}, not {capacity}: leave it out")

    def _look(self) -> _Newest | None:
        seen = self._writer._mapping.snapshot()
        if seen["write_offset"] == seen["tail_offset"]:
            return None
        with ringlog.Reader(self._path, start=seen["event_count"] - 1) as reader:
            event = reader.read(timeout=0)
        return _Newest(event.sequence, event.timestamp, event.data)

    def check(self, header: Header, data: bytes) -> None:
        """Is the event that was newest here the same there? Raises OtherStream, BadMessage."""
        newest = self._newest
        if newest is None or not header.sequence <= newest.sequence < header.next:
            return
        at = skip(data, newest.sequence - header.sequence, header)
        timestamp, size, _ = ENTRY.unpack_from(data, at)
        there = data[at + ENTRY.size : at + ENTRY.size + size]
        if timestamp != newest.timestamp or there != newest.data:
            raise OtherStream(
                f"{self._path}: event {newest.sequence} is not the one that was sent: "
                "somebody else has written to this ring. Remove it, and pull again"
            )
        self._newest = None  # said once

    def append(self, data: bytes, offset: int, sequence: int) -> int:
        """Append what fits of the entries from `offset` on, which judge() has seen; the bytes of it. Raises
        RingFull (nothing is appended), BadMessage (they are older than the newest event here)."""
        try:
            return self._writer._append_run(data, offset, sequence, False)
        except CorruptStream as error:
            raise BadMessage(f"event {sequence} and behind it: {error}") from None

    def jump(self, sequence: int) -> None:
        """Go on at a later sequence: the events in between are missing, and readers are told so. Raises
        RingFull: a lossless reader has not read everything before; BadMessage: no stream comes that far."""
        try:
            slot = self._writer._with_lock(lambda: self._writer._jump(sequence))
        except ValueError as error:
            raise BadMessage(f"a message with event {sequence}, which no stream can have: {error}") from None
        if slot >= 0:
            seen = reader_slot(self._writer._mapping, slot)
            who = repr(seen.name) if seen.name else f"of process {seen.identity.pid}"
            raise RingFull(f"there is a gap, and the reader {who} has not read what is before it")

    def end(self) -> None:
        """The stream has ended: readers stop behind the last event."""
        self._writer.end()

    def remove(self) -> None:
        """Away with the ring: its readers go on as far as it goes, and are told then."""
        self.close()
        ring.unlink(self._path)

    def close(self) -> None:
        """Let go of the ring."""
        self._writer.close()


def judge(header: Header, data: bytes) -> None:
    """Is it what its header says: whole entries, with their checksums, and so many? And not from a future
    that the ring's times could not come back from? Raises BadMessage."""
    first = _core.FIRST_POSITION
    _, sequence, newest, found = _core.walk_memory(data, first, header.sequence, 0, first + len(data))
    if found != _core.WALK_DONE:
        raise BadMessage(f"event {sequence} is damaged: {_DAMAGE.get(found, 'it is cut off')}")
    if sequence != header.next:
        raise BadMessage(f"a message of {header.count} events has {sequence - header.sequence}")
    now = time.time_ns()
    if newest > now + AHEAD:  # the last one's will do: times never go back
        raise BadMessage(
            f"event {sequence - 1} has the time {newest}, more than an hour ahead of this machine's clock, "
            f"{now}: one of the two clocks is wrong, or was when the event was written"
        )


def skip(data: bytes, count: int, header: Header) -> int:
    """Where the entry behind the first `count` of them begins. Raises BadMessage."""
    at = 0
    for _ in range(count):
        if at + ENTRY.size > len(data):
            raise BadMessage(f"a message of {header.count} events has fewer")
        at += ENTRY.size + ENTRY.unpack_from(data, at)[1]
    if at > len(data):
        raise BadMessage(f"a message of {header.count} events has fewer")
    return at
