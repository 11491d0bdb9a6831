"""What the tests of the write lock share: planted owners, the semaphore, events that prove themselves."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Iterable
from pathlib import Path

import posix_ipc
from oracle import MARKS, SLOT_ACTIVE, WRITER_SLOT_SIZE, RingFile, decode

import ringlog

CONTENDED = 1 << 63
WRITERS_AT = 8192
MARKS_AT = 4096
MARK = struct.Struct("<qqqq")  # position, sequence, timestamp, reserved
HOUR = 3_600_000_000_000
OTHER_BOOT = b"another boot id!"

# For code in processes of its own: `from writer_support import ...` works behind it.
IMPORTABLE = (
    f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent.parent)!r}]\n"
)


# ---- owner and slots ----


def owner_word(slot: int, epoch: int) -> int:
    return epoch << 16 | slot


def plant_owner(file: RingFile, *, slot: int = 5, epoch: int = 7, drain: bool = True) -> int:
    """The lock as a writer leaves it that was killed while it held it; the owner word."""
    set_slot_state(file, slot, epoch, SLOT_ACTIVE)
    file["owner"] = owner_word(slot, epoch)
    if drain:
        set_semaphore(semaphore_of(file), 0)
    return file["owner"]


def set_slot_state(file: RingFile, slot: int, epoch: int, status: int) -> None:
    struct.pack_into("<Qq", file.memory, WRITERS_AT + slot * WRITER_SLOT_SIZE, epoch << 8 | status, 4_000_000)


def slot_epochs(file: RingFile) -> list[int]:
    return [
        struct.unpack_from("<Q", file.memory, WRITERS_AT + slot * WRITER_SLOT_SIZE)[0] >> 8
        for slot in range(64)
    ]


def set_mark(file: RingFile, number: int, position: int, sequence: int = 0, timestamp: int = 0) -> None:
    MARK.pack_into(file.memory, MARKS_AT + number % 128 * MARK.size, position, sequence, timestamp, 0)


# ---- the semaphore ----


def semaphore_of(file: RingFile) -> str:
    return f"/ringlog-{file.raw('file_id').hex()}"


def semaphore_name(path: str | os.PathLike[str]) -> str:
    with RingFile(path, writable=False) as file:
        return semaphore_of(file)


def set_semaphore(name: str, value: int) -> None:
    """Take out all tokens that are in the semaphore now, then put in `value`. Makes it if it is missing."""
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREAT, initial_value=0)
    with contextlib.suppress(posix_ipc.BusyError):
        for _ in range(1000):
            semaphore.acquire(0)
    for _ in range(value):
        semaphore.release()
    semaphore.close()


def semaphore_value(name: str) -> int | None:
    """None: there is no such semaphore."""
    try:
        semaphore = posix_ipc.Semaphore(name)
    except posix_ipc.ExistentialError:
        return None
    try:
        return int(semaphore.value)
    finally:
        semaphore.close()


# ---- events ----


def payload(who: int, number: int, largest: int = 200) -> bytes:
    """An event that tells who wrote it, as the how manieth, and shows whether it is whole."""
    size = (number * 37 + who * 11) % largest
    return struct.pack("<II", who, number) + bytes([(who * 31 + number) & 0xFF]) * size


def origin(data: bytes, largest: int = 200) -> tuple[int, int]:
    """Who wrote this event, and its number; AssertionError if it is not whole."""
    who, number = struct.unpack_from("<II", data)
    assert data == payload(who, number, largest), f"torn: {data!r}"
    return int(who), int(number)


def assert_whole(events: Iterable[tuple[int, int, bytes]], counts: dict[int, int]) -> list[tuple[int, int]]:
    """Every producer's events are there, each once, in its order; sequences dense, timestamps in order."""
    origins = []
    previous: tuple[int, int] | None = None
    for sequence, timestamp, data in events:
        if previous:
            assert sequence == previous[0] + 1
            assert timestamp >= previous[1]
        previous = (sequence, timestamp)
        origins.append(origin(data))
    for who, count in counts.items():
        assert [number for name, number in origins if name == who] == list(range(count)), f"producer {who}"
    assert len(origins) == sum(counts.values())
    return origins


def assert_consistent(path: str | os.PathLike[str]) -> int:
    """The file contradicts itself nowhere; how many events were published so far."""
    decode(path)
    with RingFile(path, writable=False) as file:
        head = file.pair("head")
        assert file["event_count"] == head.sequence
        assert file["owner"] == 0
        return head.sequence


# ---- a crash of the machine ----


def crash(path: str, *, scribble: bool = True, behind: int | None = None) -> None:
    """The machine restarts. What lies behind position `behind` (default: the head) in the data, and all of
    the header but commit records and identity, is anything."""
    with RingFile(path) as file:
        room = file["tail_offset"] + file.capacity - file["write_offset"]
        if scribble:
            for name in ("head[0].position", "head[1].position", "head[1].sequence", "tail[0].sequence"):
                file[name] = 12345
            file["event_count"] = 10**6
            file["last_timestamp"] = time.time_ns() + 10**15
            file["write_offset"] += 4321
            file["tail_offset"] += 99
            file["owner"] = 1 << 20 | 3
            for number in range(MARKS):
                set_mark(file, number, 24 + number, 7, 7)
        if behind is not None:
            file.write(behind, b"\xa5" * min(500, room))
        file["boot_id"] = OTHER_BOOT


def contents(path: str) -> list[tuple[int, bytes]]:
    with ringlog.Reader(path, start="oldest") as reader:
        return [(event.sequence, event.data) for event in reader.read_many(100_000)]


def restarted(path: str) -> list[tuple[int, bytes]]:
    ringlog.Writer(path, timeout=10).close()
    return contents(path)
