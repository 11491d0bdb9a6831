"""Is every message that came the one that was sent, whole and in its place?

What each reader of a race asks. Messages are 2 ** k different ones in turn. One by one they are compared as
bytes; lists with lists; whole batches as columns, by numpy, which compares every byte as well.
"""

from __future__ import annotations

import itertools
import operator
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HELLO, GOODBYE = b"\xfe", b"\xff"  # the first byte; that of a message is below 64


def messages(size: int) -> list[bytes]:
    """2 ** k messages that differ, each beginning with its number, big-endian.

    256 KiB of them, but four at least: what a sender has just made and what a reader compares with stand in
    their caches, so that the way between them is what is measured.
    """
    kinds = 1 << max(2, min(12, ((256 << 10) // max(size, 1)).bit_length() - 1))
    return [(k.to_bytes(4, "big") + k.to_bytes(4, "little") * (size // 4 + 1))[:size] for k in range(kinds)]


@dataclass(frozen=True)
class Received:
    """What one reader saw: how many, how many of them wrong, when the last came, and its processor time."""

    count: int
    wrong: int
    end: int
    cpu: int


def check(source: Iterator[Any], expected: list[bytes], count: int, lossless: bool) -> Received:
    """Take what comes until it is all there, or the sender says goodbye."""
    mask = len(expected) - 1
    got = place = wrong = 0
    data = None
    while data is None or bytes(data[:1]) == HELLO:  # the hellos that are still under way
        data = next(source)
    cpu = time.process_time_ns()
    while True:  # with one message that is none of those expected, or the first
        head = bytes(data[:4])
        number = int.from_bytes(head, "big")
        if data == expected[place & mask]:
            got, place = got + 1, place + 1
        elif head[:1] == GOODBYE and not lossless:
            break
        elif lossless or number > mask or data != expected[number]:
            wrong += 1
        else:
            got, place = got + 1, number + 1
        left = count - got - wrong
        if left <= 0:
            break
        # The loop is as lean as it can be, since it counts as every peer's: no number is added up in it.
        turns = itertools.repeat(None, left)
        for _, want, data in zip(turns, _from(expected, place & mask), source):  # noqa: B905 - it is endless
            if data is None:
                data = _something(source)
            if data != want:
                done = left - operator.length_hint(turns) - 1
                got, place = got + done, place + done
                break
        else:
            got += left
            break
    end = time.perf_counter_ns()
    return Received(got, wrong, end, time.process_time_ns() - cpu)


def _from(expected: list[bytes], place: int) -> Iterator[bytes]:
    """The expected messages in turn, for ever, from one of them on."""
    first = iter(expected)
    first.__setstate__(place)  # type: ignore[attr-defined]  # without walking there: losses may be frequent
    return itertools.chain(first, itertools.cycle(expected))


def _something(source: Iterator[Any]) -> Any:
    """What comes next from a peer that polls and has just found nothing."""
    misses = 1
    while (data := next(source)) is None:
        misses += 1
        if not misses & 63:
            os.sched_yield()  # the sender may need this core
    return data


def check_events(source: Iterator[Any], expected: list[bytes], count: int) -> Received:
    """The same for a lossless peer whose events have more than data: asked for it where it is compared."""
    event = next(source)
    while bytes(event.data[:1]) == HELLO:
        event = next(source)
    cpu = time.process_time_ns()
    wrong = int(event.data != expected[0])
    turns = itertools.repeat(None, count - 1)
    for _, want, event in zip(turns, _from(expected, 1), source):  # noqa: B905 - it is endless
        if event.data != want:
            wrong += 1
    end = time.perf_counter_ns()
    return Received(count - wrong, wrong, end, time.process_time_ns() - cpu)


def check_lists(source: Iterator[list[Any]], expected: list[bytes], count: int) -> Received:
    """The same for a lossless peer that gives lists: compared as lists, item by item where one differs."""
    kinds = len(expected)
    turns = expected * 2
    items: list[Any] = []
    while not items:
        items = [data for data in next(source) if bytes(data[:1]) != HELLO]
    cpu = time.process_time_ns()
    got = wrong = 0
    while True:
        for start in range(0, len(items), kinds):
            piece = items[start : start + kinds] if len(items) > kinds else items
            place = (got + wrong) % kinds
            want = turns[place : place + len(piece)]
            if piece == want:
                got += len(piece)
            else:
                right = sum(map(operator.eq, piece, want))
                got, wrong = got + right, wrong + len(piece) - right
        if got + wrong >= count:
            break
        items = next(source)
    end = time.perf_counter_ns()
    return Received(got, wrong, end, time.process_time_ns() - cpu)


def check_batches(source: Iterator[Any], expected: list[bytes], count: int) -> Received:
    """The same for a lossless peer that gives arrays, a row an event.

    What is expected stands in a table twice over, so that any batch has its like in one piece of it.
    """
    import numpy as np

    size, kinds = len(expected[0]), len(expected)
    table = b"".join(expected) * 2
    rows = np.empty((0, size), np.uint8)
    while not len(rows):
        rows = next(source).view(np.uint8).reshape(-1, size)
        rows = rows[np.cumprod(rows[:, 0] == HELLO[0]).sum() :]  # without the hellos at its head
    cpu = time.process_time_ns()
    got = wrong = 0
    while True:
        for start in range(0, len(rows), kinds):
            piece = rows[start : start + kinds]
            place = (got + wrong) % kinds
            if table.startswith(piece.data, place * size):  # every byte, where they are, by memcmp
                got += len(piece)
            else:
                same = piece == np.frombuffer(table, np.uint8).reshape(-1, size)[place : place + len(piece)]
                right = int(same.all(axis=1).sum())
                got, wrong = got + right, wrong + len(piece) - right
        if got + wrong >= count:
            break
        rows = next(source).view(np.uint8).reshape(-1, size)
    end = time.perf_counter_ns()
    return Received(got, wrong, end, time.process_time_ns() - cpu)
