"""What was whole comes back, and what was not is told: laps, damage, cursors, and writers at work."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest
from oracle import FIRST, RingFile
from processes import Child, run

import ringlog

SIZE = 100
STEP = 16 + SIZE
COUNT = 10


def position(sequence: int) -> int:
    return FIRST + STEP * sequence


def payload(sequence: int) -> bytes:
    return bytes([65 + sequence]) * SIZE


@pytest.fixture
def ring(ring_path: str) -> Iterator[RingFile]:
    """A ring with events 0 to 9, event k at position 24 + 116 k."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([payload(k) for k in range(COUNT)])
    with RingFile(ring_path) as file:
        yield file


def data(batch: ringlog.Batch) -> list[bytes]:
    return [event.data for event in batch]


def read_into(seen: list[bytes], reader: ringlog.Reader, limit: int) -> None:
    """Read batches to the end, which is an exception."""
    while batch := reader.read_batch(limit, 20):
        assert len(batch) <= limit
        assert batch.sequences[0] == len(seen)
        seen += data(batch)


def payloads(first: int, stop: int = COUNT) -> list[bytes]:
    return [payload(k) for k in range(first, stop)]


# ---- laps ----


def test_a_reader_that_was_passed(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert data(reader.read_batch(1)) == [payload(0)]
        ring.move_tail(4)
        ring.write(position(1), bytes(3 * STEP))  # the writer is at work there
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read_batch()
        assert (caught.value.first, caught.value.last, caught.value.count) == (1, 3, 3)
        assert reader.lost == 3
        assert data(reader.read_batch()) == payloads(4)


def test_skip_goes_on_at_once(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest", on_overrun="skip") as reader:
        ring.move_tail(4)
        batch = reader.read_batch()
        assert list(batch.sequences) == [4, 5, 6, 7, 8, 9]
        assert reader.lost == 4


def test_everything_may_be_gone(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest", on_overrun="skip") as reader:
        ring.move_tail(COUNT)
        assert not reader.read_batch()
        assert reader.lost == COUNT


def test_a_sequence_that_is_gone(ring: RingFile, ring_path: str) -> None:
    ring.move_tail(6)
    with ringlog.Reader(ring_path, start=2) as reader:
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read_batch()
        assert (caught.value.first, caught.value.last) == (2, 5)
        assert data(reader.read_batch()) == payloads(6)


# ---- damage ----


@pytest.mark.parametrize("limit", [4, 5, COUNT, 65536])
@pytest.mark.parametrize("damaged", [0, 4, COUNT - 1])
def test_a_wrong_checksum_comes_after_what_is_whole(
    ring: RingFile, ring_path: str, damaged: int, limit: int
) -> None:
    ring.write(position(damaged) + 50, b"!")
    with ringlog.Reader(ring_path, start="oldest") as reader:
        seen = 0
        while seen < damaged:
            batch = reader.read_batch(limit)
            assert data(batch) == payloads(seen, min(seen + limit, damaged))
            seen += len(batch)
        for _ in range(3):
            with pytest.raises(ringlog.CorruptStream, match=rf"sequence {damaged}\b"):
                reader.read_batch(limit)
            assert reader.sequence == damaged
        if damaged < COUNT - 1:
            reader.seek(damaged + 1)
            assert data(reader.read_batch()) == payloads(damaged + 1)


def test_unverified_damage_is_returned(ring: RingFile, ring_path: str) -> None:
    ring.write(position(4) + 50, b"!")
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        assert len(reader.read_batch()) == COUNT


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("limit", [2, 6, 65536])
@pytest.mark.parametrize("size", [SIZE + 1, SIZE - 1, 0, 1, 900, 60_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("damaged", [0, 5, COUNT - 1])
def test_hostile_sizes(
    ring: RingFile, ring_path: str, damaged: int, size: int, limit: int, verify: bool
) -> None:
    """Whatever a size says: what is before it comes whole, and nothing is written where it should not be."""
    ring.put_entry(position(damaged), payload(damaged), size=size)
    with ringlog.Reader(ring_path, start="oldest", verify=verify) as reader:
        seen: list[bytes] = []
        with pytest.raises(ringlog.CorruptStream):
            read_into(seen, reader, limit)
        assert seen[:damaged] == payloads(0, damaged)
        assert all(len(found) <= COUNT * STEP for found in seen)
        if verify:
            assert len(seen) == damaged


@pytest.mark.parametrize("timestamp", [0, -1])
def test_an_entry_without_a_time(ring: RingFile, ring_path: str, timestamp: int) -> None:
    ring.write(position(3), timestamp.to_bytes(8, "little", signed=True))
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        assert data(reader.read_batch()) == payloads(0, 3)
        with pytest.raises(ringlog.CorruptStream):
            reader.read_batch()


def test_a_head_that_went_back(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path) as reader:
        ring.set_pair("head", position(3), 3)
        with pytest.raises(ringlog.CorruptStream, match="went back"):
            reader.read_batch()


@pytest.mark.parametrize("beyond", [65536, 1 << 40, (1 << 63) - 1])
def test_a_head_a_whole_ring_beyond_the_tail(ring: RingFile, ring_path: str, beyond: int) -> None:
    with ringlog.Reader(ring_path) as reader:
        ring.set_pair("head", min(position(COUNT) + beyond, (1 << 63) - 1), COUNT + 1)
        with pytest.raises(ringlog.CorruptStream):
            reader.read_batch()


@pytest.mark.parametrize("sequence", [-(1 << 63), -1, 0, 1, 5, 11, 1000, 1 << 40, (1 << 63) - 1])
@pytest.mark.parametrize("limit", [3, 65536])
def test_a_count_that_lies_changes_nothing(ring: RingFile, ring_path: str, sequence: int, limit: int) -> None:
    """How many events the head says there are is used to make room, and not believed."""
    ring.set_pair("head", position(COUNT), sequence)
    seen: list[bytes] = []
    with ringlog.Reader(ring_path, start="oldest") as reader:
        while batch := reader.read_batch(limit):
            assert len(batch) <= limit
            seen += data(batch)
    assert seen == payloads(0)


def test_no_record_for_the_head(ring: RingFile, ring_path: str) -> None:
    """As when a writer is killed in the middle: the events are there all the same."""
    with ringlog.Reader(ring_path, start="oldest") as reader:
        for k in (0, 1):
            ring[f"head[{k}].position"] = 7
        assert data(reader.read_batch(4)) == payloads(0, 4)
        assert data(reader.read_batch()) == payloads(4)


HOSTILE = """
    import mmap, struct, sys
    offset = int(sys.argv[2])
    with open(path, "r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        (honest,) = struct.unpack_from("<q", memory, offset)
        for value in (-1, 0, 1, 23, honest - 1, honest + 1, 1 << 40, -(1 << 63), (1 << 63) - 1):
            for start in ("latest", "oldest", 0, 9):
                struct.pack_into("<q", memory, offset, honest)
                with ringlog.Reader(path, start=start) as reader:
                    struct.pack_into("<q", memory, offset, value)
                    for limit in (1, 5, 65536):
                        try:
                            reader.read_batch(limit)
                        except ringlog.RinglogError:
                            pass
    """


@pytest.mark.parametrize("word", [0, 32, 40, 48, 56, 192, 200, 232])
def test_a_hostile_word_neither_crashes_nor_hangs(ring: RingFile, ring_path: str, word: int) -> None:
    run(HOSTILE, ring_path, word, timeout=10)


# ---- cursors ----


def cursor(path: str) -> int:
    return ringlog.info(path).readers[0].sequence


def test_an_unnamed_cursor_moves_at_once(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest", lossless=True) as reader:
        reader.read_batch(4)
        assert cursor(ring_path) == 4


def test_a_named_batch_is_finished_when_the_next_is_asked_for(ring: RingFile, ring_path: str) -> None:
    reader = ringlog.Reader(ring_path, start="oldest", name="n")
    reader.read_batch(4)
    assert cursor(ring_path) == 0
    reader.read_batch(3)
    assert cursor(ring_path) == 4
    reader.close()
    reader = ringlog.Reader(ring_path, name="n")
    assert data(reader.read_batch()) == payloads(4)  # again: it was not finished
    assert not reader.read_batch()  # asking in vain finishes too
    assert cursor(ring_path) == COUNT
    reader.close()


def test_commit_and_leaving_the_block_finish(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest", name="n") as reader:
        reader.read_batch(4)
        reader.commit()
        assert cursor(ring_path) == 4
        reader.read_batch(2)
    assert cursor(ring_path) == 6


# ---- writers at work ----

EVENTS = 60_000
WRITE = f"""
    say("ready")
    sys.stdin.readline()
    import struct
    with ringlog.Writer(path) as writer:
        for k in range({EVENTS}):
            writer.append(struct.pack("<q", k) * (k * 7919 % 90))
        writer.end()
    """


def written(sequence: int) -> bytes:
    return struct.pack("<q", sequence) * (sequence * 7919 % 90)


@pytest.mark.parametrize("limit", [7, 65536])
def test_a_fast_writer_in_a_small_ring(ring_path: str, spawn: Callable[..., Child], limit: int) -> None:
    """The checksum is off: the protocol alone keeps out what is torn. Each gap is told, exactly."""
    ringlog.create(ring_path, 65536)
    writer = spawn(WRITE, ring_path)
    writer.line()
    seen = lost = following = 0
    gaps = []
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        writer.tell()
        while True:
            try:
                batch = reader.read_batch(limit, 20)
            except ringlog.Overrun as overrun:
                gaps.append((following, overrun.first))
                lost += overrun.count
                following = overrun.last + 1
                continue
            except ringlog.StreamEnded:
                break
            assert batch, "nothing came in 20 s"
            assert list(batch.sequences) == list(range(following, following + len(batch)))
            assert all(event.data == written(event.sequence) for event in batch)
            following += len(batch)
            seen += len(batch)
        assert reader.lost == lost
    assert seen + lost == EVENTS
    assert all(expected == told for expected, told in gaps)
    writer.finish()


@pytest.mark.parametrize("name", [None, "n"])
def test_lossless_loses_nothing(ring_path: str, spawn: Callable[..., Child], name: str | None) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Reader(ring_path, start="oldest", lossless=True, name=name) as reader:
        writer = spawn(WRITE, ring_path)
        writer.line()
        writer.tell()
        seen: list[bytes] = []
        with pytest.raises(ringlog.StreamEnded):
            read_into(seen, reader, 1000)
    assert seen == [written(k) for k in range(EVENTS)]
    writer.finish()
