"""Another file under the same path, or another ring in the same file: noticed, never read as the old one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from no_signal_support import (
    APPENDS,
    CAPACITY,
    READS,
    SIZE,
    opened,
    payload,
    read_all,
    remove_semaphore,
    repeat,
)
from processes import Child, run_forked

import ringlog

EVENTS = 20
reads = pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
appends = pytest.mark.parametrize("append", APPENDS, ids=lambda append: append.__name__)


def make_other(path: str, events: int = 2 * EVENTS) -> None:
    """A ring of the same shape, whose entries stand where the first one's do."""
    with ringlog.Writer(path, capacity=CAPACITY) as writer:
        for _ in range(events):
            writer.append(b"o" * SIZE)


def write_over(path: str, other: str) -> None:
    with open(other, "rb") as source, open(path, "r+b") as target:  # as `cp` without cutting the file first
        target.write(source.read())


@reads
def test_a_ring_that_takes_the_place_of_another(
    ring_path: str, read: Callable[[ringlog.Reader], Any]
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            other = ring_path + "-other"
            make_other(other)
            gone = remove_semaphore(ring_path)
            os.rename(other, ring_path)
            got, error = read_all(read, reader) if read.__name__ != "poll" else poll_all(reader)
            assert isinstance(error, ringlog.RingRemoved)
            assert got == [(k, payload(k)) for k in range(EVENTS)]
            with ringlog.Reader(ring_path, start="oldest") as fresh:
                assert fresh.read().data == b"o" * SIZE
            gone()

    run_forked(scenario)


def poll_all(reader: ringlog.Reader) -> tuple[list[tuple[int, bytes]], BaseException]:
    """poll() never asks the file system; one that waits finds out."""
    got = [(event.sequence, event.data) for event in reader.read_many()]
    assert reader.poll() is None
    with pytest.raises(ringlog.RingRemoved) as caught:
        reader.read(timeout=20)
    return got, caught.value


@appends
def test_a_writer_whose_file_was_replaced(ring_path: str, append: Callable[[ringlog.Writer], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, _):
            other = ring_path + "-other"
            make_other(other)
            gone = remove_semaphore(ring_path)
            os.rename(other, ring_path)
            with pytest.raises(ringlog.RingRemoved):
                repeat(append, writer, 20)
            assert ringlog.info(ring_path).event_count == 2 * EVENTS
            gone()

    run_forked(scenario)


@reads
@pytest.mark.parametrize("events", [EVENTS // 2, 2 * EVENTS], ids=["shorter", "longer"])
def test_another_stream_in_the_same_file(
    ring_path: str, read: Callable[[ringlog.Reader], Any], events: int
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            assert len(reader.read_many(EVENTS)) == EVENTS
            other, gone = ring_path + "-other", remove_semaphore(ring_path)
            make_other(other, events)
            write_over(ring_path, other)
            os.unlink(other)
            got, error = read_all(read, reader)
            assert not got
            assert isinstance(error, ringlog.RingRemoved), error
            gone()

    run_forked(scenario)


@appends
def test_a_writer_does_not_write_into_another_stream(
    ring_path: str, append: Callable[[ringlog.Writer], Any]
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, _):
            other, gone = ring_path + "-other", remove_semaphore(ring_path)
            make_other(other)
            write_over(ring_path, other)
            os.unlink(other)
            with pytest.raises(ringlog.RingRemoved):
                append(writer)
            assert ringlog.info(ring_path).event_count == 2 * EVENTS
            gone()

    run_forked(scenario)


@pytest.mark.parametrize("call", ["sync", "end"])
def test_another_stream_is_not_synced_or_ended(disk_path: str, call: str) -> None:
    def scenario() -> None:
        with opened(disk_path, EVENTS) as (writer, _):
            other, gone = disk_path + "-other", remove_semaphore(disk_path)
            make_other(other)
            write_over(disk_path, other)
            os.unlink(other)
            with pytest.raises(ringlog.RingRemoved):
                getattr(writer, call)()
            assert not ringlog.info(disk_path).ended
            gone()

    run_forked(scenario)


def test_a_writer_that_waits_for_room_does_not_go_on_in_another_stream(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, 64, lossless=True) as (writer, _):
            other, gone = ring_path + "-other", remove_semaphore(ring_path)
            make_other(other, 3)
            asked = writer._reap

            def reap(slot: int) -> None:  # it has found no room, let go of the lock, and asks who holds it up
                write_over(ring_path, other)
                asked(slot)

            writer._reap = reap  # type: ignore[method-assign]
            with pytest.raises(ringlog.RingRemoved):
                repeat(lambda writer: writer.append(b"x" * SIZE), writer, 5)
            assert ringlog.info(ring_path).event_count == 3
            os.unlink(other)
            gone()

    run_forked(scenario)


def test_a_waiting_reader_learns_of_another_stream(ring_path: str, spawn: Callable[..., Child]) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        writer.append(payload(0))
    child = spawn(
        """
        reader = ringlog.Reader(path)
        say("waits")
        try:
            reader.read(timeout=60)
        except ringlog.RingRemoved:
            say("told")
        """,
        ring_path,
    )
    assert child.line() == "waits"
    other, gone = ring_path + "-other", remove_semaphore(ring_path)
    make_other(other)
    write_over(ring_path, other)
    os.unlink(other)
    assert child.line() == "told"
    child.finish()
    gone()
