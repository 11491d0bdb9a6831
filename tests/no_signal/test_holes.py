"""Pages that are given back to the file system, a file system that has none left, and disks that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from no_signal_support import (
    APPENDS,
    DATA_START,
    PAGE,
    READS,
    SIZE,
    fill,
    opened,
    payload,
    punch,
    read_all,
    repeat,
    take_the_rest,
)
from processes import run_forked

import ringlog

EVENTS = 40
reads = pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
appends = pytest.mark.parametrize("append", APPENDS, ids=lambda append: append.__name__)


# ---- holes: zeros, where there is room for them ----


@reads
def test_a_hole_in_the_data_is_no_event(ring_path: str, read: Callable[[ringlog.Reader], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            punch(ring_path, DATA_START + 2 * PAGE, PAGE)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.CorruptStream), error
            assert got == [(k, payload(k)) for k in range(2 * PAGE // (SIZE + 16))]

    run_forked(scenario)


@reads
def test_a_hole_where_the_header_was(ring_path: str, read: Callable[[ringlog.Reader], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            punch(ring_path, 0, DATA_START)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.RinglogError), error
            assert not got

    run_forked(scenario)


@appends
def test_writing_where_the_header_was(ring_path: str, append: Callable[[ringlog.Writer], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, _):
            punch(ring_path, 0, DATA_START)
            with pytest.raises(ringlog.RinglogError):
                append(writer)

    run_forked(scenario)


def test_a_walk_over_a_hole_does_not_move_the_tail(ring_path: str) -> None:
    """Entries of nearly three strides: not every one has a mark, so the writer walks over the oldest."""

    def scenario() -> None:
        size = 2979
        with opened(ring_path, 0) as (writer, _):
            for _ in range(22):
                writer.append(b"z" * (size - 16))
            punch(ring_path, DATA_START, PAGE)
            with pytest.raises(ringlog.CorruptStream):
                repeat(lambda writer: writer.append(b"z" * (size - 16)), writer, 3)
            seen = ringlog.info(ring_path)
            assert seen.tail_offset == 24 + size * seen.tail_count

    run_forked(scenario)


def test_writing_into_a_hole_fills_it(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, 0) as (writer, reader):
            punch(ring_path, DATA_START, 16 * PAGE)
            fill(writer, EVENTS)
            assert [event.data for event in reader.read_many(EVENTS)] == [payload(k) for k in range(EVENTS)]

    run_forked(scenario)


# ---- a file system without room for the page ----


@reads
def test_reading_a_hole_on_a_full_tmpfs(small_memory: Path, read: Callable[[ringlog.Reader], Any]) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, EVENTS) as (_, reader):
            punch(path, DATA_START + 2 * PAGE, 4 * PAGE)
            take_the_rest(small_memory)
            got, error = read_all(read, reader)
            assert isinstance(error, OSError), error
            assert "space" in str(error)
            assert got == [(k, payload(k)) for k in range(2 * PAGE // (SIZE + 16))]

    run_forked(scenario)


@appends
def test_writing_into_a_hole_on_a_full_tmpfs(
    small_memory: Path, append: Callable[[ringlog.Writer], Any]
) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, 0) as (writer, reader):
            append(writer)
            whole = len(reader.read_many())

            def both(writer: ringlog.Writer) -> None:
                nonlocal whole
                append(writer)
                whole += len(reader.read_many())

            punch(path, DATA_START + 2 * PAGE, 8 * PAGE)
            take_the_rest(small_memory)
            with pytest.raises(OSError, match="space") as caught:
                repeat(both, writer, 40)
            assert not isinstance(caught.value, ringlog.RinglogError)
            assert whole < EVENTS
            assert ringlog.info(path).event_count == whole

    run_forked(scenario)


def test_a_view_and_a_claim_on_a_full_tmpfs(small_memory: Path) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, 0, verify=False) as (writer, reader):
            writer.append(b"\1" * (6 * PAGE))
            with writer.claim(PAGE) as memory:  # the mapping for claims is there
                memory[:] = bytes(PAGE)
            block = writer.claim(2 * PAGE)
            memory = block.__enter__()
            view = reader.view()
            assert view is not None
            array = numpy.frombuffer(view.__enter__().data, numpy.uint8)
            punch(path, DATA_START + PAGE, 15 * PAGE)
            take_the_rest(small_memory)
            assert 0 < int(array.sum()) < 6 * PAGE
            del array
            memory[:] = b"\2" * (2 * PAGE)
            for handed_out in (view, block):
                with pytest.raises(OSError, match="space"):
                    handed_out.__exit__(None, None, None)
            assert ringlog.info(path).event_count == 2

    run_forked(scenario)
