"""Numbers about the stream that can't be true, planted one by one: exceptions of ours, or no harm done."""

from __future__ import annotations

from typing import Literal

import pytest
from hostile_support import (
    CAPACITY,
    COUNT,
    HIGHEST,
    LOWEST,
    STEP,
    append_until_full,
    payload,
    plant,
    position,
)
from oracle import FIRST, RingFile
from processes import run

import ringlog

MARKS_AT = 4096


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


@pytest.mark.parametrize(
    ("at", "sequence"), [((1 << 62) - 16, 3), ((1 << 62) - 16, (1 << 57)), ((1 << 61) + 24, 0)]
)
def test_a_writer_publishes_no_place_that_nobody_believes(
    ring: RingFile, ring_path: str, at: int, sequence: int
) -> None:
    """At the end of what a stream can be there is no next place."""
    ring.set_pair("tail", at, sequence)
    ring.set_pair("head", at, sequence)
    ring["event_count"] = sequence
    with ringlog.Writer(ring_path) as writer, pytest.raises(ringlog.CorruptStream):
        writer.append(b"x")
    assert ringlog.info(ring_path).write_offset == at


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
