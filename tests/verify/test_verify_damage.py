"""`verify` of a ring that nobody writes: each damage is found, where it is and what it is."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import pytest
from oracle import RingFile, decode
from verify_support import damaged, whole
from writer_support import set_mark

import ringlog

CAPACITY = 1 << 16


def at(path: str, number: int) -> int:
    with RingFile(path, writable=False) as file:
        return file.places()[number].position


def head(path: str) -> int:
    return ringlog.info(path).write_offset


# ---- damaged entries ----


def test_every_byte_of_size_checksum_and_data(ring: str) -> None:
    """Each one changed on its own is found, at the entry that it belongs to."""
    changes = 0
    with RingFile(ring) as file:
        for place in file.places()[10:14]:
            for offset in range(8, 46):
                where = file.offset(place.position + offset)
                kept = file.memory[where]
                file.memory[where] = kept ^ 0x11
                report = ringlog.verify(ring)
                assert report.first_bad == place.position, (place, offset, report)
                assert report.events == place.sequence
                file.memory[where] = kept
                changes += 1
    assert changes == 4 * 38
    whole(ring, 40)


@pytest.mark.parametrize(
    ("size", "why"),
    [(0xFFFFFFFF, "size"), (CAPACITY // 2, "size"), (1 << 31, "size"), (31, "checksum"), (0, "checksum")],
)
def test_a_size_that_is_wrong(ring: str, size: int, why: str) -> None:
    with RingFile(ring) as file:
        struct.pack_into("<I", file.memory, file.offset(at(ring, 7) + 8), size)
    damaged(ring, at_walk(ring, 7), why)


def at_walk(_path: str, number: int) -> int:
    """Where an event of the fixture stands, whatever the entries say."""
    return 24 + 46 * number


@pytest.mark.parametrize("timestamp", [0, -1, -(1 << 63)])
def test_a_timestamp_that_is_none(ring: str, timestamp: int) -> None:
    with RingFile(ring) as file:
        struct.pack_into("<q", file.memory, file.offset(at(ring, 3)), timestamp)
    damaged(ring, at_walk(ring, 3), "timestamp is not over 0")


def test_time_that_runs_backwards(ring: str) -> None:
    with RingFile(ring) as file:
        before, _, _ = file.entry(at(ring, 19))
        struct.pack_into("<q", file.memory, file.offset(at(ring, 20)), before - 1)
    damaged(ring, at_walk(ring, 20), "below the one before it")


def test_the_last_entry_reaches_behind_the_head(ring: str) -> None:
    with RingFile(ring) as file:
        struct.pack_into("<I", file.memory, file.offset(at(ring, 39) + 8), 31)
    damaged(ring, at_walk(ring, 39), "does not fit in front of the head")


def test_an_entry_that_was_split_in_two(ring: str) -> None:
    """Both are sound. Only the count tells."""
    with RingFile(ring) as file:
        timestamp, _, _ = file.entry(at(ring, 30))
        file.put_entry(at_walk(ring, 30), b"1234567", timestamp=timestamp)
        file.put_entry(at_walk(ring, 30) + 23, b"7654321", timestamp=timestamp)
    damaged(ring, head(ring), "lead to sequence 41 here, the header says 40")


def test_the_first_of_several(ring: str) -> None:
    with RingFile(ring) as file:
        for number in (30, 12, 20):
            file.write(at(ring, number) + 20, b"?")
    damaged(ring, at_walk(ring, 12), "sequence 12: the data does not have the checksum")


def test_the_header_comes_before_entries(ring: str) -> None:
    with RingFile(ring) as file:
        place = file.places()[30]
        file.write(place.position + 20, b"?")
        plant_cursor(file, place.position + 1_000_000)
    report = damaged(ring, 0, "reader slot 0: its cursor")
    assert any("sequence 30" in note for note in report.notes)


# ---- damaged headers ----


def plant_cursor(file: RingFile, position: int, record: int | None = None) -> None:
    """A lossless reader's slot, active and of nobody, with this cursor."""
    slot = 16384
    struct.pack_into("<Qq", file.memory, slot, 1 << 8 | 2, 4_000_000)
    struct.pack_into("<I", file.memory, slot + 32, 1)
    struct.pack_into("<qqq", file.memory, slot + 64, position, position if record is None else record, 7)


def no_record(name: str) -> Callable[[RingFile], None]:
    def change(file: RingFile) -> None:
        file[f"{name}[0].position"] = file[f"{name}[1].position"] = 77

    return change


def move(name: str, position: int, sequence: int) -> Callable[[RingFile], None]:
    return lambda file: file.set_pair(name, position, sequence)


def field(name: str, value: int) -> Callable[[RingFile], None]:
    def change(file: RingFile) -> None:
        file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (no_record("head"), "no record stands for the head"),
        (no_record("tail"), "no record stands for the tail"),
        (no_record("gate"), "no record stands for the gate"),
        (move("tail", 1 << 40, 41), "the tail is at position"),
        (move("tail", 0, 0), "no record stands for the tail"),
        (move("tail", -(1 << 62), -9), "no record stands for the tail"),
        (move("head", (1 << 40) + 24, 40), "more than the ring holds"),
        (move("head", 24 + 39 * 46, -3), "no record stands for the head"),
        (move("gate", -5, 0), "the gate"),
        (field("event_count", 39), "event_count is 39, the head's is 40"),
        (field("last_timestamp", 12345), "last_timestamp is 12345"),
        (field("last_timestamp", 1 << 62), "last_timestamp is"),
        (lambda file: plant_cursor(file, 1 << 41), "reader slot 0: its cursor"),
        (lambda file: plant_cursor(file, 24 + 46, record=5), "reader slot 0: no record stands"),
        (field("stride", 5), "the header is damaged: stride"),
        (field("capacity", 1 << 61), "the header is damaged: capacity"),
    ],
)
def test_a_header_that_contradicts_itself(ring: str, change: Callable[[RingFile], None], why: str) -> None:
    with RingFile(ring) as file:
        change(file)
    damaged(ring, 0, why)


def test_a_sequence_that_the_entries_do_not_lead_to(ring: str) -> None:
    with RingFile(ring) as file:
        third = file.places()[3].position
        file.set_pair("gate", third, 4)
        file.set_pair("tail", third, 4)
        for number in range(128):
            set_mark(file, number, 0)  # they would have told earlier
    damaged(ring, head(ring), "lead to sequence 41 here, the header says 40")


@pytest.mark.parametrize("wrong", ["position", "sequence", "timestamp", "spanned"])
def test_marks(lapped: str, wrong: str) -> None:
    """The first boundary of each stride; none in a stride that one entry spans."""
    stride = CAPACITY // 64
    with RingFile(lapped) as file:
        found = file.places()
        before = next(
            k
            for k, place in enumerate(found)
            if (place.position - 24) // stride > (found[0].position - 24) // stride + 5
        )
        boundary, number = found[before], (found[before].position - 24) // stride
        timestamp = file.entry(found[before - 1].position)[0]
        plain = (boundary.position, boundary.sequence, timestamp)
        set_mark(file, number, *plain)
        whole(lapped, len(found))
        if wrong == "spanned":
            large = next(k for k, place in enumerate(found) if file.entry(place.position)[1] > CAPACITY // 3)
            number = (found[large].position - 24) // stride + 3
            set_mark(file, number, 24 + number * stride + 5, 7, 7)
            boundary = found[large + 1]
        else:
            values = [
                value + (one == wrong)
                for one, value in zip(("position", "sequence", "timestamp"), plain, strict=True)
            ]
            set_mark(file, number, *values)
    damaged(lapped, boundary.position, "mark of this stride")


def test_missing_marks_are_no_damage(lapped: str) -> None:
    with RingFile(lapped) as file:
        for number in range(128):
            set_mark(file, number, 0)
    whole(lapped, len(decode(lapped)))


@pytest.mark.parametrize("size", [200, 16384, 65536, 131071])
def test_a_ring_that_was_cut(ring: str, size: int) -> None:
    os.truncate(ring, size)
    damaged(ring, 0, "shorter than its header")


def test_a_damaged_magic_makes_no_log_of_a_ring(ring: str) -> None:
    with RingFile(ring) as file:
        file["magic"] = b"ringlag\n"
    with pytest.raises(ringlog.NotARing):
        ringlog.verify(ring)
