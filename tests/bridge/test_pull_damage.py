"""pull believes nothing that it gets."""

from __future__ import annotations

import time

import pytest
from copies import STREAM, end_mark, events, held, message, number, numbers
from shelf import Shelf

import ringlog
from ringlog.bridge import BadMessage, pull
from ringlog.bridge.message import Header, Message


@pytest.mark.parametrize("where", range(4), ids=["timestamp", "size", "checksum", "data"])
@pytest.mark.parametrize("which", [0, 3, 9])
def test_what_is_damaged_is_not_believed(ring_path: str, where: int, which: int) -> None:
    good = numbers(10, 20)
    size = 16 + len(number(10))
    at = which * size + (7, 9, 13, 17)[where]
    data = bytearray(good.data)
    data[at] ^= 0x80
    shelf = Shelf([numbers(0, 10), Message(good.header, bytes(data)), end_mark(20)])
    with pytest.raises(BadMessage):
        pull(ring_path, shelf)
    held(ring_path, 0, 10)  # not even what was whole of it


def test_damage_behind_a_gap_leaves_none(ring_path: str) -> None:
    """The ring would have gone on for the sake of a message that is not believed."""
    good = numbers(20, 30)
    shelf = Shelf([numbers(0, 10), Message(good.header, good.data[:-1] + b"?")])
    with pytest.raises(BadMessage):
        pull(ring_path, shelf)
    held(ring_path, 0, 10)
    assert ringlog.info(ring_path).event_count == 10


@pytest.mark.parametrize("count", [9, 11, 1, 1000])
def test_a_header_that_lies(ring_path: str, count: int) -> None:
    good = numbers(10, 20)
    lie = Message(Header(STREAM, 10, count, good.header.time), good.data)
    with pytest.raises(BadMessage):
        pull(ring_path, Shelf([numbers(0, 10), lie, end_mark(20)]))
    held(ring_path, 0, 10)


def test_a_message_that_is_cut(ring_path: str) -> None:
    good = numbers(10, 20)
    shelf = Shelf([numbers(0, 10), Message(good.header, good.data[:-1])])
    with pytest.raises(BadMessage):
        pull(ring_path, shelf)
    held(ring_path, 0, 10)


def test_time_that_goes_back(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), message(10, [b"old"], time=STREAM.start - 100)])
    with pytest.raises(BadMessage):
        pull(ring_path, shelf)
    held(ring_path, 0, 10)


def test_a_time_ahead_of_the_clock(ring_path: str) -> None:
    """Published, it would be the least that every later event could have."""
    minute, now = 60_000_000_000, time.time_ns()
    soon = message(10, [b"soon"], time=now + 50 * minute)
    late = message(11, [b"soon", b"late"], time=now + 70 * minute)
    shelf = Shelf([numbers(0, 10), soon, late, end_mark(13)])
    with pytest.raises(BadMessage, match="more than an hour ahead of this machine's clock"):
        pull(ring_path, shelf)
    assert [data for _, _, data in events(ring_path)][-1] == b"soon"
    assert ringlog.info(ring_path).event_count == 11
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"on", timestamp=now + 51 * minute)


@pytest.mark.parametrize(
    "odd", [message(1 << 60, [b"far"], time=STREAM.start - (1 << 60)), end_mark((1 << 61) - 1)]
)
def test_a_sequence_that_no_stream_can_have(ring_path: str, odd: Message) -> None:
    with pytest.raises(BadMessage, match="no stream can have"):
        pull(ring_path, Shelf([numbers(0, 10), odd]))
    held(ring_path, 0, 10)
