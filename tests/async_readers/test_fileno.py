"""fileno(): readable exactly when there may be something to read."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable

import pytest
from descriptor_support import readable, stays_quiet, wait_readable

import ringlog

# Each finds nothing, or takes all there is.
DRAINS: dict[str, Callable[[ringlog.Reader], object]] = {
    "poll": lambda reader: list(iter(reader.poll, None)),
    "read": lambda reader: read_all(reader),
    "read_many": lambda reader: reader.read_many(),
}


def read_all(reader: ringlog.Reader) -> None:
    with contextlib.suppress(TimeoutError):
        while True:
            reader.read(0)


def test_an_idle_ring_is_not_readable(ring: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        assert stays_quiet(reader)
        writer.append(b"x")
        wait_readable(reader)
        assert reader.fileno() == reader.fileno()


@pytest.mark.parametrize("drain", DRAINS)
def test_readable_from_the_first_event_until_a_look_finds_nothing(ring: str, drain: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        for _ in range(3):
            writer.append_many([b"a", b"b", b"c"])
            wait_readable(reader)
            for _ in range(3):  # whoever takes one event a select() is told of the next
                assert readable(reader)
                assert reader.poll() is not None
            assert readable(reader)
            assert reader.poll() is None
            assert not readable(reader)
            writer.append_many([b"a", b"b", b"c"])
            wait_readable(reader)
            DRAINS[drain](reader)
            assert not readable(reader)
        assert stays_quiet(reader)


def test_a_part_of_what_is_there_leaves_it_readable(ring: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        writer.append_many([b"x"] * 10)
        wait_readable(reader)
        assert len(reader.read_many(5)) == 5
        assert readable(reader)
        assert len(reader.read_many(5)) == 5
        assert reader.read_many(5) == []
        assert stays_quiet(reader)


def test_events_from_before_the_first_call(ring: str) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring) as reader:
        writer.append(b"x")
        assert readable(reader)
        assert reader.poll().data == b"x"
        assert reader.poll() is None
        assert stays_quiet(reader)


def test_poll_and_epoll(ring: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer, select.epoll() as epoll:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        epoll.register(reader, select.EPOLLIN)
        assert (poll.poll(0), epoll.poll(0)) == ([], [])
        writer.append(b"x")
        assert poll.poll(20_000) == [(reader.fileno(), select.POLLIN)]
        assert epoll.poll(20) == [(reader.fileno(), select.EPOLLIN)]


def test_reads_without_the_descriptor_in_between(ring: str) -> None:
    """Whether the thread was faster or not: a look that finds nothing leaves it quiet."""
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        assert not readable(reader)
        for k in range(200):
            writer.append(b"%d" % k)
            assert reader.poll().data == b"%d" % k
            assert reader.poll() is None
            assert not readable(reader)
        assert stays_quiet(reader)
        writer.append(b"next")
        wait_readable(reader)
        assert reader.poll().data == b"next"


def test_seek_to_what_is_there_already(ring: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        writer.append_many([b"a", b"b"])
        reader.read_many()
        assert stays_quiet(reader)
        reader.seek("oldest")
        assert readable(reader)
        assert len(reader.read_many()) == 2
        assert stays_quiet(reader)


def test_a_loss_that_is_not_told_yet_is_readable(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        for _ in range(10):
            writer.append(bytes(20_000))
        with ringlog.Reader(ring, start=0) as reader:
            assert readable(reader)
            with pytest.raises(ringlog.Overrun):
                reader.poll()
            assert readable(reader)
            assert reader.poll() is not None


@pytest.mark.parametrize("lossless", [False, True])
def test_lossless_readers_too(ring: str, lossless: bool) -> None:
    with ringlog.Reader(ring, lossless=lossless) as reader, ringlog.Writer(ring, timeout=20) as writer:
        for k in range(50):
            writer.append(bytes(5000))
            wait_readable(reader)
            assert [event.sequence for event in reader.read_many()] == [k]
