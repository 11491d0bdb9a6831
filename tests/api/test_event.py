"""Event: three fields, and the manners of a tuple."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest
from oracle import RingFile

import ringlog
from ringlog import Event

EVENT = Event(3, 1_700_000_000_000_000_000, b"data")
TUPLE = (3, 1_700_000_000_000_000_000, b"data")


def test_what_a_reader_returns_is_one(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        writer.append(b"data", timestamp=7)
        event = reader.poll()
    assert type(event) is Event
    assert event == Event(0, 7, b"data")
    assert (type(event.sequence), type(event.timestamp), type(event.data)) == (int, int, bytes)


def test_fields() -> None:
    assert (EVENT.sequence, EVENT.timestamp, EVENT.data) == TUPLE
    assert Event(sequence=1, timestamp=2, data=b"") == (1, 2, b"")


def test_it_unpacks() -> None:
    sequence, timestamp, data = EVENT
    assert (sequence, timestamp, data) == TUPLE
    assert (*EVENT,) == TUPLE == tuple(EVENT)
    assert list(reversed(EVENT)) == list(reversed(TUPLE))
    match EVENT:
        case Event(3, _, matched):
            assert matched == b"data"
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize("index", [0, 1, 2, -1, -2, -3])
def test_it_is_indexed(index: int) -> None:
    assert EVENT[index] == TUPLE[index]


@pytest.mark.parametrize("index", [3, -4, 1 << 70])
def test_out_of_range(index: int) -> None:
    with pytest.raises(IndexError):
        EVENT[index]


@pytest.mark.parametrize(
    "cut", [slice(None), slice(1), slice(1, None), slice(None, None, 2), slice(9, 1, -1)]
)
def test_it_is_sliced(cut: slice) -> None:
    assert EVENT[cut] == TUPLE[cut]
    assert len(EVENT) == 3


def test_other_keys() -> None:
    with pytest.raises(TypeError):
        EVENT["data"]


def test_it_compares_like_its_tuple() -> None:
    others = [(3, 0, b""), (4, 0, b""), (3, TUPLE[1], b"datb"), TUPLE, (3, TUPLE[1]), ()]
    for other in others:
        for right in [other, Event(*other)] if len(other) == 3 else [other]:
            assert (right == EVENT, right != EVENT) == (other == TUPLE, other != TUPLE)
            assert (right == EVENT, right != EVENT) == (other == TUPLE, other != TUPLE)
            assert (right > EVENT, right >= EVENT) == (other > TUPLE, other >= TUPLE)
            assert (right < EVENT, right <= EVENT) == (other < TUPLE, other <= TUPLE)
    assert list(TUPLE) != EVENT
    assert EVENT != b"data"
    with pytest.raises(TypeError):
        assert EVENT < b"data"
    assert sorted([Event(2, 1, b""), Event(1, 2, b"")])[0].sequence == 1


def test_it_hashes_like_its_tuple() -> None:
    assert hash(EVENT) == hash(TUPLE)
    assert {EVENT: 1}[TUPLE] == 1
    assert TUPLE in {EVENT}


def test_repr_says_it_all() -> None:
    assert repr(EVENT) == "Event(sequence=3, timestamp=1700000000000000000, data=b'data')"
    assert eval(repr(EVENT)) == EVENT


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_pickles(protocol: int) -> None:
    again = pickle.loads(pickle.dumps(EVENT, protocol))
    assert (type(again), again) == (Event, EVENT)


def test_it_copies() -> None:
    for again in (copy.copy(EVENT), copy.deepcopy(EVENT)):
        assert (type(again), again) == (Event, EVENT)


@pytest.mark.parametrize("field", ["sequence", "timestamp", "data", "more"])
def test_it_does_not_change(field: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(EVENT, field, 1)
    with pytest.raises(TypeError):
        EVENT[0] = 1


@pytest.mark.parametrize(
    "arguments", [(), (1, 2), (1, 2, "text"), ("1", 2, b""), (1, 2, b"", 4), (1, 2, None)]
)
def test_bad_arguments(arguments: tuple) -> None:
    with pytest.raises(TypeError):
        Event(*arguments)


def test_the_whole_range_of_numbers() -> None:
    low, high = -(1 << 63), (1 << 63) - 1
    assert Event(high, low, b"") == (high, low, b"")
    with pytest.raises(OverflowError):
        Event(high + 1, 0, b"")


def test_it_lets_go_of_its_data() -> None:
    data = bytes(1000)
    before = sys.getrefcount(data)
    for _ in range(100):
        event = Event(1, 2, data)
        list(event), event[2], event[:], hash(event), event == (1, 2, data), repr(event), event.data
    del event
    assert sys.getrefcount(data) == before


# ---- the memory of what is gone is used again ----


@pytest.mark.parametrize("size", [0, 1, 2, 64, 1024, 100_000])
def test_what_was_read_before_stays_as_it_was(ring_path: str, size: int) -> None:
    """Bytes that anybody still refers to are nobody's to write into: the caller's, a slice's or a view's."""
    with ringlog.Writer(ring_path, capacity=1 << 22) as writer, ringlog.Reader(ring_path) as reader:
        kept = []
        for k in range(20):
            writer.append(bytes([k]) * size)
            event = reader.read(0)
            if k % 4 == 0:
                kept.append((k, event.data))
            elif k % 4 == 1:
                kept.append((k, memoryview(event.data)))
            elif k % 4 == 2:
                kept.append((k, copy.copy(event).data))
            del event
        for k, data in kept:
            assert bytes(data) == bytes([k]) * size


@pytest.mark.parametrize("size", [2, 1024])
def test_hashes_are_of_what_is_read(ring_path: str, size: int) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20) as writer, ringlog.Reader(ring_path) as reader:
        for k in range(10):
            expected = bytes([k]) * size
            writer.append(expected)
            assert hash(reader.read(0).data) == hash(expected)
            assert {expected: k}[b"%b" % expected] == k


def test_what_is_not_whole_is_seen_by_nobody(ring_path: str) -> None:
    """A checksum that is wrong is found after the copy: the bytes of the event before stay what they were."""
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        writer.append_many([b"a" * 1024, b"b" * 1024])
        first = reader.read(0)
        with RingFile(ring_path) as file:
            data = file.memory[:].rfind(b"b" * 1024)
            file.memory[data] = ord("x")
        with pytest.raises(ringlog.CorruptStream):
            reader.read(0)
        assert first.data == b"a" * 1024
