"""Views of lossy readers: who looked at what was overwritten is told."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import numpy as np
import pytest
from in_place_support import (
    SIZE,
    Boom,
    fill,
    opened,
    tail,
)
from oracle import RingFile

import ringlog

TIMEOUT = 0.02  # of the `writer`


@pytest.mark.parametrize("on_overrun", ["raise", "skip"])
def test_lapped_in_the_block(ring_path: str, writer: ringlog.Writer, on_overrun: str) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3, on_overrun=on_overrun) as reader:  # type: ignore[arg-type]
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            fill(writer, 100)
        oldest = tail(ring_path)
        assert (caught.value.first, caught.value.last, caught.value.count) == (3, oldest - 1, oldest - 3)
        assert (reader.sequence, reader.lost) == (oldest, oldest - 3)
        assert [event.sequence for event in reader.read_many(1000)] == list(range(oldest, 110))
        assert reader.lost == oldest - 3


def test_only_the_event_itself_is_lost(ring_path: str, writer: ringlog.Writer) -> None:
    """The tail stands just behind it, and then just before it."""
    fill(writer, 20)
    with ringlog.Reader(ring_path, start=4) as reader, RingFile(ring_path) as file:
        with opened(reader.view()):
            file.move_tail(4)
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            file.move_tail(2)
        assert (caught.value.first, caught.value.last) == (5, 5)
        assert (reader.lost, reader.sequence) == (1, 6)
        assert reader.read(1).sequence == 6


@pytest.mark.parametrize("read_behind", [1, 5])
def test_lapped_after_more_was_read(ring_path: str, writer: ringlog.Writer, read_behind: int) -> None:
    fill(writer, 20)
    with ringlog.Reader(ring_path, start=4) as reader, RingFile(ring_path) as file:
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            assert len(reader.read_many(read_behind)) == read_behind
            file.move_tail(15)
        assert (caught.value.first, caught.value.last) == (4, 4)
        assert reader.lost == 1
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (5 + read_behind, 14)
        assert reader.lost == 11 - read_behind
        assert reader.read(1).sequence == 15


def test_lapped_with_several_open(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 20)
    for order in ([0, 1], [1, 0]):
        with ringlog.Reader(ring_path, start="oldest") as reader, RingFile(ring_path) as file:
            first = reader.sequence
            views = [opened(reader.view()), opened(reader.view())]
            for view in views:
                view.__enter__()
            file.move_tail(6)
            told: list[int] = []
            for k in order:
                with pytest.raises(ringlog.Overrun) as caught:
                    views[k].__exit__(None, None, None)
                told += range(caught.value.first, caught.value.last + 1)
            assert sorted(told) == list(range(first, first + 6))
            assert reader.lost == 6
            assert reader.read(1).sequence == first + 6


@pytest.mark.parametrize("on_overrun", ["raise", "skip"])
def test_an_exception_in_a_block_that_was_lapped(
    ring_path: str, writer: ringlog.Writer, on_overrun: str
) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3, on_overrun=on_overrun) as reader:  # type: ignore[arg-type]
        with pytest.raises(Boom), opened(reader.view()):
            fill(writer, 100)
            raise Boom
        oldest = tail(ring_path)
        if on_overrun == "raise":
            with pytest.raises(ringlog.Overrun) as caught:
                reader.poll()
            assert (caught.value.first, caught.value.last) == (3, oldest - 1)
        assert reader.read(1).sequence == oldest
        assert reader.lost == oldest - 3


def test_lapped_and_held(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3) as reader:
        with pytest.raises(BufferError), opened(reader.view()) as event:
            array = np.frombuffer(event.data, "u1")
            fill(writer, 100)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.view()
        assert caught.value.first == 3
        assert array.size == SIZE


def test_lapped_and_never_looked_at(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=9) as reader:
        view = reader.view()
        assert reader.poll() is None
        fill(writer, 100)
        del view
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert caught.value.first == 10


def test_lapped_before_the_view(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader, ringlog.Reader(ring_path, on_overrun="skip") as skipping:
        fill(writer, 100)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.view()
        assert (caught.value.first, caught.value.last) == (0, tail(ring_path) - 1)
        for each in (reader, skipping):
            with opened(each.view()) as event:
                assert event.sequence == tail(ring_path) == each.lost
