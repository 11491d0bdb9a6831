"""Slots of writers and readers, and cursors, that say what can't be: exceptions of ours, or no harm done."""

from __future__ import annotations

import struct

import pytest
from hostile_support import COUNT, HIGHEST, LOWEST, append_until_full, payload, plant, position
from oracle import HEADER_SIZE, READER_SLOT_SIZE, SLOT_ACTIVE, RingFile

import ringlog

WRITERS_AT = 8192


# ---- slots ----


@pytest.mark.parametrize("pid", [0, -1, LOWEST, 1 << 31, 1 << 32, HIGHEST])
def test_a_pid_that_is_none_is_only_a_number(ring: RingFile, ring_path: str, pid: int) -> None:
    with ringlog.Writer(ring_path), ringlog.Reader(ring_path, name="r"):
        plant(ring, WRITERS_AT + 8, "q", pid)
        plant(ring, HEADER_SIZE + 8, "q", pid)
        seen = ringlog.info(ring_path)
        assert [who.pid for who in (*seen.writers, *seen.readers)] == [pid, pid]
        with pytest.raises(ringlog.NameInUse, match="not visible"):
            ringlog.Reader(ring_path, name="r")
        with pytest.raises(ringlog.NameInUse, match="not visible"):
            ringlog.forget(ring_path, "r")


@pytest.mark.parametrize("times", [(LOWEST, LOWEST, LOWEST), (HIGHEST, HIGHEST, HIGHEST), (-1, 0, -1)])
def test_times_that_are_none_are_only_numbers(
    ring: RingFile, ring_path: str, times: tuple[int, int, int]
) -> None:
    with ringlog.Writer(ring_path):
        plant(ring, WRITERS_AT + 16, "qq", *times[:2])
        plant(ring, WRITERS_AT + 64, "q", times[2])
        ring["start_timestamp"] = times[0]
        (writer,) = ringlog.info(ring_path).writers
        assert writer.age is not None
        assert writer.age >= 0


def test_a_busy_lock_whose_holder_has_no_pid_is_told(ring: RingFile, ring_path: str) -> None:
    with ringlog.Writer(ring_path) as holder, holder.claim(4):
        plant(ring, WRITERS_AT + 8, "q", -7)
        with ringlog.Writer(ring_path, timeout=0.05) as other, pytest.raises(ringlog.WriterBusy, match="-7"):
            other.append(b"x")


@pytest.mark.parametrize("epoch", [(1 << 47) - 2, (1 << 47) - 1, 1 << 47, (1 << 48) - 1, (1 << 56) - 1])
def test_an_epoch_at_its_end_gives_nobody_a_free_lock(ring: RingFile, ring_path: str, epoch: int) -> None:
    """It has to fit the owner word, and may not make it 0: that is a lock which is free."""
    plant(ring, WRITERS_AT, "Q", epoch << 8 & (1 << 64) - 1)
    with ringlog.Writer(ring_path) as holder, ringlog.Writer(ring_path, timeout=0.1) as other:
        with holder.claim(4):
            word = ring["owner"]
            assert word >> 63 == 0
            assert word & 0xFFFF == 0
            assert word >> 16 == struct.unpack_from("<Q", ring.memory, WRITERS_AT)[0] >> 8 > 0
            with pytest.raises(ringlog.WriterBusy):
                other.append(b"x")
        assert other.append(b"y") == COUNT + 1


@pytest.mark.parametrize("epoch", [(1 << 47) - 1, (1 << 56) - 1])
def test_a_readers_epoch_at_its_end(ring: RingFile, ring_path: str, epoch: int) -> None:
    plant(ring, HEADER_SIZE, "Q", epoch << 8)
    with ringlog.Reader(ring_path, name="r", start="oldest") as reader:
        assert reader.poll() is not None
        (seen,) = ringlog.info(ring_path).readers
        assert seen.name == "r"
    assert next(ring.reader_slots()).status == 3  # parked: it let go of its slot


@pytest.mark.parametrize("slot", [64, 0xFFFF])
@pytest.mark.parametrize("contended", [0, 1 << 63])
def test_an_owner_whose_slot_does_not_exist_is_replaced(
    ring: RingFile, ring_path: str, slot: int, contended: int
) -> None:
    ring["owner"] = 5 << 16 | slot | contended
    with ringlog.Writer(ring_path, timeout=2) as writer:
        assert writer.append(b"x") == COUNT


@pytest.mark.parametrize("size", [64, 255])
def test_a_name_longer_than_its_place_is_cut(ring: RingFile, ring_path: str, size: int) -> None:
    with ringlog.Reader(ring_path, name="r" * 63):
        plant(ring, HEADER_SIZE + 128, "B", size)
        (seen,) = ringlog.info(ring_path).readers
        assert seen.name == "r" * 63


def test_a_name_that_is_no_text_can_be_seen_and_forgotten(ring: RingFile, ring_path: str) -> None:
    ringlog.Reader(ring_path, name="abc").close()
    ring.memory[HEADER_SIZE + 129 : HEADER_SIZE + 132] = b"\xff\xfe\x00"
    (seen,) = ringlog.info(ring_path).readers
    assert seen.name == "\ufffd\ufffd\x00"
    ringlog.forget(ring_path, seen.name)
    assert ringlog.info(ring_path).readers == ()


# ---- cursors ----


def set_cursor(file: RingFile, at: int, sequence: int, lost_from: int = 0) -> None:
    plant(file, HEADER_SIZE + 64, "qqqqq", at, at, sequence, 0, 0)
    plant(file, HEADER_SIZE + 112, "q", lost_from)


@pytest.mark.parametrize(
    ("at", "sequence", "lost_from"),
    [
        (position(5), 4, 0),
        (position(5), 6, 0),
        (position(5) + 1, 5, 0),
        (position(5), LOWEST, 0),
        (position(5), HIGHEST, 0),
        (LOWEST, 5, 0),
        (HIGHEST, 5, 0),
        (0, 0, 0),
        (position(COUNT) + 116, COUNT + 1, 0),
        (position(5), 5, HIGHEST),
        (position(5), 5, COUNT + 2),
    ],
)
def test_a_kept_cursor_that_is_no_place_is_corrupt(
    ring: RingFile, ring_path: str, at: int, sequence: int, lost_from: int
) -> None:
    with ringlog.Reader(ring_path, name="r", start="oldest") as reader:
        reader.read_many(5)
    set_cursor(ring, at, sequence, lost_from)
    for _ in range(2):
        with pytest.raises(ringlog.CorruptStream, match=r"'r'.*forget"):
            ringlog.Reader(ring_path, name="r")
    ringlog.forget(ring_path, "r")
    with ringlog.Reader(ring_path, name="r", start="oldest") as reader:
        assert len(reader.read_many()) == COUNT


@pytest.mark.parametrize("lost_from", [LOWEST, -1])
def test_a_loss_before_the_stream_is_none(ring: RingFile, ring_path: str, lost_from: int) -> None:
    ringlog.Reader(ring_path, name="r", start=5).close()
    set_cursor(ring, position(5), 5, lost_from)
    with ringlog.Reader(ring_path, name="r") as reader:
        assert reader.read(0).sequence == 5


@pytest.mark.parametrize("gate", [position(COUNT) + 1, 1 << 40, HIGHEST, LOWEST, 7])
def test_a_gate_that_can_not_be_is_corrupt_for_who_joins(ring: RingFile, ring_path: str, gate: int) -> None:
    ring.set_pair("gate", gate, 3)
    for name in ("r", None):
        with pytest.raises(ringlog.CorruptStream):
            ringlog.Reader(ring_path, name=name, lossless=True)
    assert all(slot.status != SLOT_ACTIVE for slot in ring.reader_slots())
    with ringlog.Reader(ring_path, start="oldest") as lossy:
        assert len(lossy.read_many()) == COUNT


def test_slots_of_nobody_hold_no_writer_back(ring: RingFile, ring_path: str) -> None:
    """Every reader slot active, with a cursor before the stream; every bit set. Nobody has a lease."""
    plant(ring, 1536, "512B", *[255] * 512)
    for slot in range(64):
        at = HEADER_SIZE + slot * READER_SLOT_SIZE
        plant(ring, at, "Q", (slot + 1) << 8 | SLOT_ACTIVE)
        plant(ring, at + 64, "q", LOWEST if slot % 2 else -1)
    with ringlog.Writer(ring_path, timeout=15) as writer:
        for k in range(COUNT, 1000):
            writer.append(payload(k))
    assert ringlog.info(ring_path).event_count == 1000


def test_a_living_readers_cursor_far_back_ends_by_the_timeout(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, name="r"), ringlog.Writer(ring_path, timeout=0.2) as writer:
        plant(ring, HEADER_SIZE + 64, "q", LOWEST)
        with pytest.raises(ringlog.RingFull, match="'r'"):
            append_until_full(writer)
