"""The benchmarks' referee: a reader that got anything but what was sent must not pass for a fast one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # behind what is installed
checks = pytest.importorskip("bench.checks", reason="the benchmarks are not beside these tests")

SIZE = 64
COUNT = 3000
EXPECTED: list[bytes] = checks.messages(SIZE)
HELLO, GOODBYE = checks.HELLO * SIZE, checks.GOODBYE * SIZE


def sent(count: int = COUNT) -> list[bytes]:
    return [EXPECTED[k % len(EXPECTED)] for k in range(count)]


def endless(items: list[bytes], last: bytes) -> Iterator[bytes]:
    """With greetings in front, and for ever something behind, so that who waits for more is not held up."""
    yield from [HELLO] * 3
    yield from items
    while True:
        yield last


class Event:
    def __init__(self, data: bytes) -> None:
        self.data = data


def singly(items: list[bytes], last: bytes = HELLO) -> tuple[int, int]:
    seen = checks.check(endless(items, last), EXPECTED, COUNT, True)
    return seen.count, seen.wrong


def events(items: list[bytes], last: bytes = HELLO) -> tuple[int, int]:
    seen = checks.check_events(map(Event, endless(items, last)), EXPECTED, COUNT)
    return seen.count, seen.wrong


def pieces(items: list[bytes], last: bytes) -> Iterator[list[bytes]]:
    source = endless(items, last)
    while True:
        yield [next(source) for _ in range(700)]


def lists(items: list[bytes], last: bytes = HELLO) -> tuple[int, int]:
    seen = checks.check_lists(pieces(items, last), EXPECTED, COUNT)
    return seen.count, seen.wrong


def batches(items: list[bytes], last: bytes = HELLO) -> tuple[int, int]:
    rows = (np.frombuffer(b"".join(piece), np.dtype((np.void, SIZE))) for piece in pieces(items, last))
    seen = checks.check_batches(rows, EXPECTED, COUNT)
    return seen.count, seen.wrong


WAYS = [singly, events, lists, batches]


def altered(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_messages_differ_and_say_which_they_are() -> None:
    assert len(set(EXPECTED)) == len(EXPECTED)
    assert [int.from_bytes(data[:4], "big") for data in EXPECTED] == list(range(len(EXPECTED)))
    assert {data[:1] for data in EXPECTED}.isdisjoint({checks.HELLO, checks.GOODBYE})
    assert {len(data) for size in (0, 1, 7, 1 << 20) for data in checks.messages(size)} == {0, 1, 7, 1 << 20}


@pytest.mark.parametrize("way", WAYS)
def test_all_right(way: Callable[[list[bytes]], tuple[int, int]]) -> None:
    count, wrong = way(sent() + sent()[:1] * 700)
    assert wrong == 0 or way in (lists, batches)  # those look at whole pieces: more than was asked for
    assert count >= COUNT


@pytest.mark.parametrize("at", [0, 4, SIZE - 1])
@pytest.mark.parametrize("which", [0, 1, 1500, COUNT - 1])
@pytest.mark.parametrize("way", WAYS)
def test_one_altered_byte(way: Callable[[list[bytes]], tuple[int, int]], which: int, at: int) -> None:
    items = sent()
    items[which] = altered(items[which], at)
    assert way(items)[1] >= 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["left out", "twice", "exchanged", "all from one on"])
def test_order(way: Callable[[list[bytes]], tuple[int, int]], what: str) -> None:
    items = sent(COUNT + 1)
    if what == "left out":
        del items[700]
    elif what == "twice":
        items.insert(700, items[700])
    elif what == "exchanged":
        items[700], items[701] = items[701], items[700]
    else:
        items[700:] = [items[700]] * len(items[700:])
    count, wrong = way(items[:COUNT])
    assert wrong >= 1 or (way is singly and count != COUNT)  # who counts losses finds its place again


def test_what_a_lossy_reader_missed_is_not_counted() -> None:
    items = sent()
    del items[100:250], items[1000:1001]
    seen = checks.check(endless(items, GOODBYE), EXPECTED, COUNT, False)
    assert (seen.count, seen.wrong) == (COUNT - 151, 0)


def test_a_lossy_reader_is_told_of_what_is_wrong() -> None:
    items = sent()
    items[100] = altered(items[100], 40)
    seen = checks.check(endless(items, GOODBYE), EXPECTED, COUNT, False)
    assert (seen.count, seen.wrong) == (COUNT - 1, 1)


def test_a_poll_that_finds_nothing_is_no_message() -> None:
    items: list[bytes | None] = []
    for data in sent():
        items += [None, data, None, None]
    source = (item for item in [HELLO, *items])
    seen = checks.check(source, EXPECTED, COUNT, True)
    assert (seen.count, seen.wrong) == (COUNT, 0)
