"""An independent decoder of ring files, in plain struct, zlib and mmap, and a hand to plant states.

It shares nothing with the library: its table of offsets was written down from `layout.h`, so that a
field which moves is noticed. `RingFile` is also how tests force a state that would otherwise need two
threads in an unlucky moment: it writes words, pairs and entries into the file beneath the library.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

MAGIC = b"ringlog\n"
FIRST = 24  # position of the first entry
ENTRY = struct.Struct("<qII")  # timestamp, size, checksum
STRIDES = 64
MARKS = 128
HEADER_SIZE = 16384  # reader slots follow
WRITER_SLOT_SIZE = 128
READER_SLOT_SIZE = 256
SLOT_FREE, SLOT_CLAIMED, SLOT_ACTIVE, SLOT_PARKED = range(4)
LOSSLESS, NAMED = 1, 2

FIELDS: dict[str, tuple[int, str]] = {
    "write_offset": (0, "q"),
    "event_count": (8, "q"),
    "start_timestamp": (16, "q"),
    "last_timestamp": (24, "q"),
    "head[0].position": (32, "q"),
    "head[0].sequence": (40, "q"),
    "head[1].position": (48, "q"),
    "head[1].sequence": (56, "q"),
    "magic": (64, "8s"),
    "version": (72, "I"),
    "byte_order": (76, "I"),
    "features": (80, "Q"),
    "data_start": (88, "q"),
    "capacity": (96, "q"),
    "stride": (104, "q"),
    "mark_count": (112, "I"),
    "max_writers": (116, "I"),
    "max_readers": (120, "I"),
    "stream_id": (128, "16s"),
    "file_id": (144, "16s"),
    "boot_id": (160, "16s"),
    "created": (176, "q"),
    "commits_dirty": (184, "I"),
    "tail_offset": (192, "q"),
    "tail[0].position": (200, "q"),
    "tail[0].sequence": (208, "q"),
    "tail[1].position": (216, "q"),
    "tail[1].sequence": (224, "q"),
    "ended": (232, "q"),
    "removed": (240, "I"),
    "clean": (244, "I"),
    "restarts": (248, "Q"),
    "gate_offset": (256, "q"),
    "gate[0].position": (264, "q"),
    "gate[0].sequence": (272, "q"),
    "gate[1].position": (280, "q"),
    "gate[1].sequence": (288, "q"),
    "jump": (296, "q"),
    "jumped": (304, "q"),
    "owner": (320, "Q"),
    "last_owner": (328, "Q"),
    "sleepers": (384, "I"),
    "sleepers_futex": (388, "I"),
    "room_wanted": (448, "I"),
    "room_futex": (452, "I"),
    "commits": (512, "1024s"),
    "reader_bits": (1536, "512s"),
    "marks": (4096, "4096s"),
    "writers": (8192, "8192s"),
}
PAIRS = {"head": "write_offset", "tail": "tail_offset", "gate": "gate_offset"}
READER_SLOT = struct.Struct("<QqqqI28xq qqqq q16x B63s64x")
WRITER_SLOT = struct.Struct("<Qqqq32xq56x")


class OracleEvent(NamedTuple):
    sequence: int
    timestamp: int
    data: bytes


class Place(NamedTuple):
    position: int
    sequence: int


@dataclass(frozen=True)
class ReaderSlot:
    epoch: int
    status: int
    pid: int
    flags: int
    cursor: int
    sequence: int | None  # of the cursor; None if no record stands for it
    name: bytes


class RingFile:
    """The bytes of a ring file, to look at and to change. Positions are positions in the stream."""

    def __init__(self, path: str | os.PathLike[str], *, writable: bool = True) -> None:
        fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        try:
            self.memory = mmap.mmap(fd, 0, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        finally:
            os.close(fd)
        self.capacity = self["capacity"]
        self.data_start = self["data_start"]

    def __enter__(self) -> RingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.memory.close()

    # ---- the header ----

    def __getitem__(self, name: str) -> int:
        offset, code = FIELDS[name]
        value: int = struct.unpack_from("<" + code, self.memory, offset)[0]
        return value

    def __setitem__(self, name: str, value: int | bytes) -> None:
        offset, code = FIELDS[name]
        struct.pack_into("<" + code, self.memory, offset, value)

    def raw(self, name: str) -> bytes:
        """A field that is bytes, or any other one as it stands in the file."""
        offset, code = FIELDS[name]
        return self.memory[offset : offset + struct.calcsize("<" + code)]

    def pair(self, name: str) -> Place:
        """Head, tail or gate: the word, and the sequence of the record that has its position."""
        position = self[PAIRS[name]]
        for k in (0, 1):
            if self[f"{name}[{k}].position"] == position:
                return Place(position, self[f"{name}[{k}].sequence"])
        raise ValueError(f"no {name} record stands for position {position}")

    def set_pair(self, name: str, position: int, sequence: int) -> None:
        """Publish a pair as the protocol does: the spare record first, then the word."""
        word = PAIRS[name]
        spare = 1 if self[f"{name}[0].position"] == self[word] else 0
        self[f"{name}[{spare}].position"] = 0
        self[f"{name}[{spare}].sequence"] = sequence
        self[f"{name}[{spare}].position"] = position
        self[word] = position

    def reader_slots(self) -> Iterator[ReaderSlot]:
        """All of the reader slots, used or not."""
        for slot in range(self["max_readers"]):
            at = HEADER_SIZE + slot * READER_SLOT_SIZE
            state, pid, _, _, flags, cursor, *rest = READER_SLOT.unpack_from(self.memory, at)
            records, size, name = rest[:4], rest[5], rest[6]
            sequence = {records[2]: records[3], records[0]: records[1]}.get(cursor)
            yield ReaderSlot(state >> 8, state & 0xFF, pid, flags, cursor, sequence, name[:size])

    # ---- the data ----

    def offset(self, position: int) -> int:
        """Where a position of the stream is in the file."""
        return self.data_start + (position - FIRST) % self.capacity

    def read(self, position: int, size: int) -> bytes:
        first = min(size, self.data_start + self.capacity - self.offset(position))
        at = self.offset(position)
        return self.memory[at : at + first] + self.memory[self.data_start : self.data_start + size - first]

    def write(self, position: int, data: bytes) -> None:
        for k, byte in enumerate(data):
            self.memory[self.offset(position + k)] = byte

    def entry(self, position: int) -> tuple[int, int, int]:
        """(timestamp, size, checksum) of the entry at a position."""
        timestamp, size, checksum = ENTRY.unpack(self.read(position, ENTRY.size))
        return timestamp, size, checksum

    def put_entry(
        self,
        position: int,
        data: bytes,
        *,
        timestamp: int = 1,
        size: int | None = None,
        checksum: int | None = None,
    ) -> int:
        """Write an entry without publishing it, honest unless told otherwise; the position behind it."""
        claimed = len(data) if size is None else size
        total = zlib.crc32(data) if checksum is None else checksum
        self.write(position, ENTRY.pack(timestamp, claimed, total) + data)
        return position + ENTRY.size + len(data)

    def publish(self, data: bytes, **claims: int) -> int:
        """Append an entry behind the head as a writer would (no room is made); its position."""
        head = self.pair("head")
        end = self.put_entry(head.position, data, **claims)
        self["event_count"] = head.sequence + 1
        self.set_pair("head", end, head.sequence + 1)
        return head.position

    def move_tail(self, count: int) -> Place:
        """Let the tail pass `count` events, as a writer that laps a reader does; where it is then."""
        position, sequence = self.pair("tail")
        for _ in range(count):
            position += ENTRY.size + self.entry(position)[1]
        self.set_pair("gate", position, sequence + count)
        self.set_pair("tail", position, sequence + count)
        return Place(position, sequence + count)

    def places(self) -> list[Place]:
        """Where the events of the window begin."""
        position, sequence = self.pair("tail")
        head = self.pair("head")
        found = []
        while position < head.position:
            found.append(Place(position, sequence))
            position += ENTRY.size + self.entry(position)[1]
            sequence += 1
        if (position, sequence) != head:
            raise ValueError(f"the entries lead to {position}, {sequence}, the head is at {head}")
        return found

    def events(self) -> list[OracleEvent]:
        """Every event in the window, checked."""
        found = []
        for position, sequence in self.places():
            timestamp, size, checksum = self.entry(position)
            data = self.read(position + ENTRY.size, size)
            if zlib.crc32(data) != checksum:
                raise ValueError(f"event {sequence} has another checksum")
            found.append(OracleEvent(sequence, timestamp, data))
        return found


def decode(path: str | os.PathLike[str]) -> list[OracleEvent]:
    """The events in the window of a ring file."""
    with RingFile(path, writable=False) as file:
        return file.events()
