"""Event: three fields, and the manners of a tuple."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

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
