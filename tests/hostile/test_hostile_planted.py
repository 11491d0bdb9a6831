"""Numbers in the file that can't be true, planted one by one: exceptions of ours, or no harm done."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from oracle import FIRST, HEADER_SIZE, READER_SLOT_SIZE, SLOT_ACTIVE, RingFile
from processes import run

import ringlog

CAPACITY = 65536
SIZE = 100
STEP = 16 + SIZE
COUNT = 10
WRITERS_AT = 8192
MARKS_AT = 4096
COMMITS_AT = 512
COMMIT = struct.Struct("<Qqqqqq16sI")
HIGHEST = (1 << 63) - 1
LOWEST = -(1 << 63)


def payload(sequence: int) -> bytes:
    return sequence.to_bytes(4, "little") * (SIZE // 4)


def position(sequence: int) -> int:
    return FIRST + STEP * sequence


@pytest.fixture
def ring(ring_path: str) -> Iterator[RingFile]:
    """A ring with events 0 to 9, event k at position 24 + 116 k."""
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([payload(k) for k in range(COUNT)])
    with RingFile(ring_path) as file:
        yield file


def plant(file: RingFile, offset: int, code: str, *values: int) -> None:
    struct.pack_into("<" + code, file.memory, offset, *values)


def append_until_full(writer: ringlog.Writer) -> None:
    for _ in range(3):  # the third has to move the tail
        writer.append(bytes(30_000))


# ---- head and tail ----

IMPOSSIBLE = [
    (position(5), -1),
    (position(5), LOWEST),
    (position(5), HIGHEST),
    (0, 0),
    (-1, 0),
    (LOWEST, 0),
    (HIGHEST, 3),
    (1 << 62, 3),
]


@pytest.mark.parametrize(("at", "sequence"), IMPOSSIBLE)
@pytest.mark.parametrize("pair", ["head", "tail"])
def test_an_impossible_place_is_corrupt_for_all(
    ring: RingFile, ring_path: str, pair: str, at: int, sequence: int
) -> None:
    ring.set_pair(pair, at, sequence)
    with pytest.raises(ringlog.CorruptStream):
        ringlog.info(ring_path)
    with pytest.raises(ringlog.CorruptStream):
        ringlog.Reader(ring_path, start="latest" if pair == "head" else "oldest")
    with pytest.raises(ringlog.CorruptStream):
        ringlog.Reader(ring_path, start=3)
    with ringlog.Writer(ring_path, timeout=0.2) as writer, pytest.raises(ringlog.CorruptStream):
        append_until_full(writer)


@pytest.mark.parametrize(
    ("tail", "head"),
    [
        ((position(6), 6), (position(5), 5)),  # the tail beyond the head
        ((position(5), 6), (position(9), 5)),  # fewer events than none
        ((position(5), 5), (position(6), 200)),  # more events than there are bytes for
        ((position(5), 5), (position(5), 6)),  # an event of no bytes
        ((position(5), 5), (position(5) + CAPACITY + 16, 9)),  # more than a ring
    ],
)
def test_ends_that_contradict_each_other_are_corrupt(
    ring: RingFile, ring_path: str, tail: tuple[int, int], head: tuple[int, int]
) -> None:
    ring.set_pair("tail", *tail)
    ring.set_pair("head", *head)
    with pytest.raises(ringlog.CorruptStream):
        ringlog.info(ring_path)
    with pytest.raises(ringlog.CorruptStream):
        ringlog.Reader(ring_path, start=5)


@pytest.mark.parametrize("count", [COUNT + 1, 0, -1, 1 << 61, HIGHEST])
def test_a_writer_does_not_go_on_from_a_wrong_count(ring: RingFile, ring_path: str, count: int) -> None:
    """Its events would have other sequences for who joins than for who was here."""
    ring["event_count"] = count
    with ringlog.Writer(ring_path) as writer:
        for _ in range(2):
            with pytest.raises(ringlog.CorruptStream):
                writer.append(b"x")
        with pytest.raises(ringlog.CorruptStream), writer.claim(4):
            raise AssertionError("the block was entered")
        ring["event_count"] = COUNT
        assert writer.append(b"x") == COUNT  # and the lock was let go each time


@pytest.mark.parametrize("tail", [position(COUNT) + 1, HIGHEST, -1, LOWEST, position(COUNT) - CAPACITY - 1])
def test_a_writer_does_not_write_over_a_wrong_tail(ring: RingFile, ring_path: str, tail: int) -> None:
    """Else it would believe that there is room for ever, and no reader would learn what it lost."""
    ring["tail_offset"] = tail
    before = bytes(ring.memory)
    with ringlog.Writer(ring_path) as writer, pytest.raises(ringlog.CorruptStream):
        writer.append(b"x" * 1000)
    assert bytes(ring.memory)[ring.data_start :] == before[ring.data_start :]


@pytest.mark.parametrize("policy", ["raise", "skip"])
@pytest.mark.parametrize("sequence", [0, 1, 2])
def test_a_tail_that_passed_a_reader_backwards_is_corrupt(
    ring: RingFile, ring_path: str, sequence: int, policy: Literal["raise", "skip"]
) -> None:
    """It is further on, with a sequence that is not: no loss can be told from that. Nothing loops."""
    with ringlog.Reader(ring_path, start=2, on_overrun=policy) as reader:
        ring.set_pair("tail", position(4), sequence)
        for _ in range(2):
            with pytest.raises(ringlog.CorruptStream):
                reader.poll()
        assert (reader.position, reader.sequence, reader.lost) == (position(2), 2, 0)


def test_losses_that_no_ring_can_have_do_not_overflow(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start=0, on_overrun="skip") as reader:
        at = FIRST
        for turn in range(4):
            at += STEP
            ring.set_pair("tail", at, (1 << 62) - 5 + turn)
            reader.poll()
            assert 0 < reader.lost <= HIGHEST
            reader._place(at, 0, -1, 0, True)


# ---- marks ----


@pytest.fixture
def lapped(ring_path: str) -> Iterator[RingFile]:
    """A ring that went round: events 400 or so to 999, a mark in each stride."""
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        for k in range(1000):
            writer.append(payload(k))
    with RingFile(ring_path) as file:
        yield file


@pytest.mark.parametrize("sequence", [0, -1, 5, 1 << 50, LOWEST, HIGHEST])
def test_a_mark_with_a_wrong_sequence_leads_nobody_astray(
    lapped: RingFile, ring_path: str, sequence: int
) -> None:
    for number in range(128):
        plant(lapped, MARKS_AT + 32 * number + 8, "q", sequence)
    for goal in (600, 900, 999):
        with ringlog.Reader(ring_path, start=goal) as reader:
            event = reader.read(0)
            assert (event.sequence, event.data) == (goal, payload(goal))
    with ringlog.Writer(ring_path) as writer:
        for k in range(1000, 2000):
            writer.append(payload(k))
    assert [event.data for event in lapped.events()][-500:] == [payload(k) for k in range(1500, 2000)]
    assert ringlog.info(ring_path).tail_count == lapped.places()[0].sequence


MARKS_ANYWHERE = """
    import mmap, random, struct
    with open(path, "r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        dice = random.Random(1)
        (head,) = struct.unpack_from("<q", memory, 0)
        for turn in range(60):
            for number in range(128):
                near = head - dice.randrange(-9000, 70000)
                mark = dice.choice((near, dice.getrandbits(62))), dice.randrange(1000), dice.getrandbits(60)
                struct.pack_into("<qqq", memory, 4096 + 32 * number, *mark)
            for start in (500, 999, "latest"):
                try:
                    with ringlog.Reader(path, start=start) as reader:
                        reader.read_many()
                except ringlog.RinglogError:
                    pass
            try:
                with ringlog.Writer(path, timeout=1) as writer:
                    writer.append_many([bytes(90)] * 40)
            except ringlog.RinglogError:
                pass
    say("done")
    """


def test_marks_that_point_anywhere_end_in_exceptions(lapped: RingFile, ring_path: str) -> None:
    assert run(MARKS_ANYWHERE, ring_path).strip() == "done"


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


# ---- commit records ----


def put_commit(
    file: RingFile, number: int, generation: int, head: tuple[int, int], tail: tuple[int, int]
) -> None:
    body = COMMIT.pack(generation, *head, *tail, 1, file.raw("stream_id"), 0)
    file.memory[COMMITS_AT + 512 * number : COMMITS_AT + 512 * number + 72] = body + struct.pack(
        "<I", zlib.crc32(body)
    )


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ((position(5), -1), (FIRST, 0)),
        ((HIGHEST, 5), (HIGHEST - 100, 4)),
        ((position(5), 5), (FIRST, 6)),
        ((position(5), HIGHEST), (FIRST, 0)),
        ((position(5) + CAPACITY, 5), (FIRST, 0)),
        ((position(5), 5), (-1, 0)),
    ],
)
def test_a_summed_commit_record_that_can_not_be_is_not_believed(
    ring: RingFile, ring_path: str, head: tuple[int, int], tail: tuple[int, int]
) -> None:
    """As after a crash of the machine: the ring begins anew, as it does without any record."""
    put_commit(ring, 0, 7, head, tail)
    ring["boot_id"] = b"another boot id!"
    with ringlog.Writer(ring_path) as writer:
        assert writer.append(b"x") == 0
    assert ringlog.info(ring_path).tail_count == 0


@pytest.mark.parametrize("summed", [True, False])
def test_a_commit_record_after_the_last_generation_counts(tmp_path: Path, summed: bool) -> None:
    """Its generation may not become 0, which no record has: what was synced would be lost."""
    path = str(tmp_path / "ring")
    ringlog.create(path, CAPACITY)
    try:
        with RingFile(path) as file:
            for number in (0, 1):
                put_commit(file, number, (1 << 64) - 1 - number, (FIRST, 0), (FIRST, 0))
                if not summed:
                    file.memory[COMMITS_AT + 512 * number + 68] ^= 1
            try:
                writer = ringlog.Writer(path, sync="always")
            except ValueError:
                pytest.skip("no disk here, only memory")
            with writer:
                writer.append(b"kept")
                file["boot_id"] = b"another boot id!"
        with ringlog.Writer(path) as writer, ringlog.Reader(path, start="oldest") as reader:
            assert [event.data for event in reader.read_many()] == [b"kept"]
    finally:
        ringlog.unlink(path)


# ---- a reader and a head that lies while it reads ----


def test_what_is_read_twice_is_not_believed(ring: RingFile, ring_path: str) -> None:
    """A head a ring further on shows the same bytes again: never as other events."""
    with (
        ringlog.Reader(ring_path, start="oldest") as reader,
        ringlog.Reader(ring_path, start="oldest") as batches,
    ):
        ring["write_offset"] = position(COUNT) + CAPACITY
        for read in (reader.poll, reader.read_many, batches.read_batch):
            with pytest.raises(ringlog.CorruptStream):
                read()


def test_a_summed_entry_is_all_that_is_believed(ring: RingFile, ring_path: str) -> None:
    """Any single byte of an event's data or checksum: never that event."""
    for byte in range(12, STEP):
        before = ring.read(position(3), STEP)
        ring.write(position(3) + byte, bytes([before[byte] ^ 0x10]))
        with ringlog.Reader(ring_path, start=3) as reader, pytest.raises(ringlog.CorruptStream):
            reader.poll()
        ring.write(position(3), before)
