"""G1, forced: states that a reader meets only at an unlucky moment, written into the file by hand."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest
from oracle import FIELDS, FIRST, Place, RingFile
from processes import run

import ringlog

SIZE = 100  # of the data of each event in the stream below
STEP = 16 + SIZE
COUNT = 10


def payload(sequence: int) -> bytes:
    return bytes([65 + sequence]) * SIZE


@pytest.fixture
def ring(ring_path: str) -> Iterator[RingFile]:
    """A ring with events 0 to 9, event k at position 24 + 116 k."""
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([payload(k) for k in range(COUNT)])
    with RingFile(ring_path) as file:
        yield file


def position(sequence: int) -> int:
    return FIRST + STEP * sequence


def data(events: list[ringlog.Event]) -> list[bytes]:
    return [event.data for event in events]


# ---- a lap in the middle ----


def test_a_reader_that_was_passed_returns_nothing_of_it(ring: RingFile, ring_path: str) -> None:
    """It has loaded the head, so it believes that the events up to there can be read."""
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert reader.poll() == (0, reader_timestamp(ring), payload(0))
        ring.move_tail(4)
        ring.write(position(1), bytes(3 * STEP))  # the writer is at work there
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last, caught.value.count) == (1, 3, 3)
        assert (reader.position, reader.sequence) == (position(4), 4)
        assert data(reader.read_many()) == [payload(k) for k in range(4, COUNT)]


def reader_timestamp(ring: RingFile) -> int:
    return ring.entry(position(0))[0]


def test_a_tail_at_the_readers_own_event_takes_nothing(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest") as reader:
        reader.read_many(4)
        ring.move_tail(4)
        assert reader.read_many(1)[0].data == payload(4)


def test_a_tail_inside_the_readers_event_makes_it_gone(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        reader.read_many(4)
        ring.move_tail(5)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (4, 4)


def test_everything_may_be_gone(ring: RingFile, ring_path: str) -> None:
    """Tail and head at one place: an empty window in the middle of the stream."""
    with ringlog.Reader(ring_path, start="oldest") as reader:
        ring.move_tail(COUNT)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (0, COUNT - 1)
        assert reader.poll() is None
        assert reader.lag == 0


# ---- half a publication ----


def test_an_entry_that_is_not_published_is_not_there(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path, start="oldest") as reader, ringlog.Reader(ring_path) as latest:
        ring.put_entry(position(COUNT), b"not yet")
        ring["event_count"] = COUNT + 1
        assert len(reader.read_many()) == COUNT
        assert reader.poll() is None
        assert latest.poll() is None
        ring.set_pair("head", position(COUNT) + 23, COUNT + 1)
        assert latest.read_many()[0].data == b"not yet"


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize("pair", ["head", "tail"])
def test_a_join_at_every_step_of_a_store(ring: RingFile, ring_path: str, pair: str, steps: int) -> None:
    """A pair's store stopped after each of its instructions: joiners see the old or the new, never a mix."""
    old = ring.pair(pair)
    ring.put_entry(position(COUNT), b"new")
    new = Place(position(COUNT) + 19, COUNT + 1) if pair == "head" else Place(position(2), 2)
    word = {"head": "write_offset", "tail": "tail_offset"}[pair]
    spare = 1 if ring[f"{pair}[0].position"] == old.position else 0
    stores = [
        (f"{pair}[{spare}].position", 0),
        (f"{pair}[{spare}].sequence", new.sequence),
        (f"{pair}[{spare}].position", new.position),
        (word, new.position),
    ]
    for name, value in stores[:steps]:
        ring[name] = value
    expected = new if steps == 4 else old
    with ringlog.Reader(ring_path, start="latest" if pair == "head" else "oldest") as reader:
        assert (reader.position, reader.sequence) == expected
    seen = ringlog.info(ring_path)
    found = (seen.write_offset, seen.event_count) if pair == "head" else (seen.tail_offset, seen.tail_count)
    assert found == expected


def test_the_count_at_the_front_is_only_a_copy(ring: RingFile, ring_path: str) -> None:
    ring["event_count"] = 12345
    with ringlog.Reader(ring_path) as reader:
        assert reader.sequence == COUNT
    assert ringlog.info(ring_path).event_count == COUNT


@pytest.mark.parametrize("pair", ["head", "tail"])
@pytest.mark.parametrize("start", ["latest", "oldest", 3])
def test_no_record_for_the_word_is_corrupt(
    ring: RingFile, ring_path: str, pair: str, start: str | int
) -> None:
    for k in (0, 1):
        ring[f"{pair}[{k}].position"] = 7
    if (pair, start) in (("tail", "latest"), ("head", "oldest")):
        ringlog.Reader(ring_path, start=start).close()  # the other pair is all that it needs
    else:
        with pytest.raises(ringlog.CorruptStream):
            ringlog.Reader(ring_path, start=start)
    with pytest.raises(ringlog.CorruptStream):
        ringlog.info(ring_path)


# ---- entries that lie ----


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("size", [SIZE + 1, 60_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_size_past_the_head_is_corrupt(ring: RingFile, ring_path: str, size: int, verify: bool) -> None:
    last = position(COUNT - 1)
    ring.put_entry(last, payload(9), size=size)
    with ringlog.Reader(ring_path, start=COUNT - 1, verify=verify) as reader:
        for _ in range(3):
            with pytest.raises(ringlog.CorruptStream, match=rf"position {last}, sequence 9\b"):
                reader.poll()
        assert (reader.position, reader.sequence) == (last, 9)


@pytest.mark.parametrize(("size", "believed"), [(32768 - 16, True), (32768 - 15, False), (40_000, False)])
def test_no_event_is_larger_than_half_the_ring(ring_path: str, size: int, believed: bool) -> None:
    """Even where the head is far enough away for it, and nobody sums the bytes."""
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        for _ in range(6):
            writer.append(bytes(10_000))
    with RingFile(ring_path) as file, ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        file.put_entry(FIRST, b"", size=size)
        if believed:
            assert len(reader.read_many(1)[0].data) == size
        else:
            with pytest.raises(ringlog.CorruptStream):
                reader.poll()


def test_a_wrong_checksum_is_corrupt_until_seek(ring: RingFile, ring_path: str) -> None:
    ring.write(position(5) + 16 + 50, b"!")
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert data(reader.read_many()) == [payload(k) for k in range(5)]  # what was whole comes first
        for read in (reader.poll, reader.read, reader.read_many, lambda: next(reader)):
            with pytest.raises(ringlog.CorruptStream, match=rf"position {position(5)}, sequence 5\b"):
                read()
            assert (reader.position, reader.sequence) == (position(5), 5)
        reader.seek(6)
        assert data(reader.read_many()) == [payload(k) for k in range(6, COUNT)]


def test_a_wrong_checksum_with_good_data_is_corrupt(ring: RingFile, ring_path: str) -> None:
    ring.put_entry(position(5), payload(5), checksum=zlib.crc32(payload(5)) ^ 1)
    with ringlog.Reader(ring_path, start=5) as reader, pytest.raises(ringlog.CorruptStream):
        reader.poll()


def test_without_verify_the_sum_is_not_asked(ring: RingFile, ring_path: str) -> None:
    ring.write(position(5) + 16, b"!")
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        events = reader.read_many()
    assert events[5].data == b"!" + payload(5)[1:]
    assert len(events) == COUNT


def test_a_corrupt_event_can_be_lapped(ring: RingFile, ring_path: str) -> None:
    """The reader stays; when the writer has passed the place, that is an overrun like any other."""
    ring.write(position(5) + 16, b"!")
    with ringlog.Reader(ring_path, start=5) as reader:
        with pytest.raises(ringlog.CorruptStream):
            reader.poll()
        ring.move_tail(7)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (5, 6)


# ---- a head that lies ----


def test_a_head_that_went_back_is_corrupt(ring: RingFile, ring_path: str) -> None:
    with ringlog.Reader(ring_path) as reader:
        ring.set_pair("head", position(3), 3)
        with pytest.raises(ringlog.CorruptStream):
            reader.poll()


@pytest.mark.parametrize("beyond", [65536, 1 << 40, (1 << 63) - 1])
def test_a_head_a_whole_ring_beyond_the_tail_is_corrupt(ring: RingFile, ring_path: str, beyond: int) -> None:
    """What lies there was never published: zeros look like empty events, and sum up."""
    with ringlog.Reader(ring_path) as reader:
        ring.set_pair("head", min(position(COUNT) + beyond, (1 << 63) - 1), COUNT + 1)
        with pytest.raises(ringlog.CorruptStream):
            reader.poll()


HOSTILE = """
    import mmap, struct, sys
    offset, role = int(sys.argv[2]), sys.argv[3]
    with open(path, "r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        (honest,) = struct.unpack_from("<q", memory, offset)
        for value in (-1, 0, 1, 23, honest - 1, honest + 1, 1 << 40, -(1 << 63), (1 << 63) - 1):
            struct.pack_into("<q", memory, offset, honest)
            attached = ringlog.Writer(path, timeout=0.05) if role == "writer" else None
            struct.pack_into("<q", memory, offset, value)
            for start in ("latest", "oldest", 0, 9):
                try:
                    if attached:
                        attached.append(bytes(30_000))
                    else:
                        with ringlog.Reader(path, start=start) as reader:
                            reader.read_many(50)
                except (ringlog.RinglogError, ValueError):
                    pass
            if attached:
                attached.close()
    """


@pytest.mark.parametrize("role", ["reader", "writer"])
@pytest.mark.parametrize("word", ["write_offset", "tail_offset", "gate_offset", "event_count", "ended"])
def test_a_hostile_word_neither_crashes_nor_hangs(
    ring: RingFile, ring_path: str, word: str, role: str
) -> None:
    """Any exception of ours will do. In a process of its own, to survive a signal and to see a hang."""
    run(HOSTILE, ring_path, FIELDS[word][0], role, timeout=10)


@pytest.mark.parametrize("timestamp", [0, -1])
def test_an_entry_without_a_time_is_corrupt(ring: RingFile, ring_path: str, timestamp: int) -> None:
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        ring.write(24, timestamp.to_bytes(8, "little", signed=True))
        with pytest.raises(ringlog.CorruptStream):
            reader.poll()
