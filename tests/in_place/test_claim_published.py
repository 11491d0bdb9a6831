"""Claims: an event written in place is published whole, or not at all."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import gc
import signal
import threading

import numpy as np
import pytest
from in_place_support import (
    CAPACITY,
    LARGEST,
    Boom,
    assert_free,
    head,
    lap,
    pattern,
    scribble,
)
from oracle import ENTRY, decode

import ringlog

# ---- what is published ----


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4095, 4096, 4097, LARGEST - 1, LARGEST])
def test_what_was_written_is_the_event(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with ringlog.Reader(ring_path) as reader:
        for number in range(5):
            claim = writer.claim(size)
            assert (claim.size, claim.sequence) == (size, None)
            with claim as view:
                assert (len(view), view.nbytes, view.readonly, view.format) == (size, size, False, "B")
                view[:] = pattern(number, size)
                assert claim.sequence is None
            assert claim.sequence == number
            assert decode(ring_path)[-1].data == pattern(number, size)  # the checksum too
            event = reader.read(1)
            assert (event.sequence, event.data) == (number, pattern(number, size))


def test_all_around_the_ring(ring_path: str, writer: ringlog.Writer) -> None:
    """Claims and appends in turn, over several laps, with events that lie across the end of the data."""
    across = 0
    for number in range(600):
        size = number * 37 % 1500
        position = head(ring_path)[0]
        if number % 3:
            with writer.claim(size) as view:
                view[:] = pattern(number, size)
            at = (position - 24 + ENTRY.size) % CAPACITY
            across += at < CAPACITY < at + size
        else:
            writer.append(pattern(number, size))
        last = decode(ring_path)[-1]
        assert (last.sequence, last.data) == (number, pattern(number, size))
        assert head(ring_path) == (position + ENTRY.size + size, number + 1)
    assert across >= 2


@pytest.mark.parametrize("size", [LARGEST + 1, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 200])
def test_too_large(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with pytest.raises(ringlog.EventTooLarge):
        writer.claim(size)
    assert_free(ring_path)


@pytest.mark.parametrize("size", [-1, -(1 << 63), -(1 << 200)])
def test_less_than_nothing(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        writer.claim(size)
    assert_free(ring_path)


def test_no_size(ring_path: str, writer: ringlog.Writer) -> None:
    class Index:
        def __index__(self) -> int:
            return 1 << 80

        def __lt__(self, other: object) -> bool:
            raise Boom

    for size in (1.0, "1", None, b"1"):
        with pytest.raises(TypeError):
            writer.claim(size)  # type: ignore[arg-type]
    with pytest.raises(ringlog.EventTooLarge):
        writer.claim(Index())
    with writer.claim(np.uint16(3)) as view:
        view[:] = b"abc"
    assert decode(ring_path)[-1].data == b"abc"
    assert_free(ring_path)


def test_an_array_on_it(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(4000) as view:
        array = np.frombuffer(view, "<u4")
        array[:] = np.arange(1000)
        del array
    assert decode(ring_path)[0].data == np.arange(1000, dtype="<u4").tobytes()


def test_released_early_it_is_published(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        view[:] = b"abc"
        view.release()
    assert decode(ring_path)[0].data == b"abc"


def test_timestamps_never_decrease(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"")
        ahead = reader.read(1).timestamp + 1_800_000_000_000
        writer.append(b"", timestamp=ahead)
        with writer.claim(1) as view:
            view[:] = b"x"
        assert [event.timestamp for event in reader.read_many()] == [ahead, ahead]


def test_nobody_sees_a_part_of_it(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader, ringlog.Reader(ring_path, start="oldest") as other:
        before = head(ring_path)
        with writer.claim(1000) as view:
            for k in range(0, 1000, 100):
                view[k : k + 100] = bytes([k // 100]) * 100
                assert reader.poll() is None
                assert other.lag == 0
                assert head(ring_path) == before
        assert reader.read(1) == other.read(1)


# ---- what is dropped ----


def test_an_exception_drops_it(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"before")
    before = head(ring_path)
    claim = writer.claim(100)
    with pytest.raises(Boom), claim as view:
        view[:] = b"\xff" * 100
        raise Boom
    assert (claim.sequence, head(ring_path)) == (None, before)
    assert writer.append(b"after") == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"after"]
    assert_free(ring_path)


def test_ctrl_c_drops_it(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(KeyboardInterrupt), writer.claim(10) as view:
        view[:] = bytes(10)
        signal.raise_signal(signal.SIGINT)
    assert head(ring_path)[1] == 0
    assert_free(ring_path)


@pytest.mark.parametrize("forget", ["never entered", "entered"])
def test_a_forgotten_one_lets_go(ring_path: str, writer: ringlog.Writer, forget: str) -> None:
    claim = writer.claim(10)
    if forget == "entered":
        claim.__enter__()[:] = bytes(10)
    with pytest.raises(ringlog.WriterBusy):
        writer.append(b"no")
    del claim
    assert head(ring_path)[1] == 0
    assert_free(ring_path)
    assert writer.append(b"next") == 1


def test_a_forgotten_one_whose_memory_is_held(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(100)
    array = np.frombuffer(claim.__enter__(), "u1")
    del claim
    assert_free(ring_path)
    scribble(array, 0xEE)
    lap(writer, ring_path)
    assert set(array.tolist()) == {0xEE}


class Node:
    claim: ringlog._core.Claim


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another thread"])
def test_one_in_a_cycle_lets_go(ring_path: str, writer: ringlog.Writer, elsewhere: bool) -> None:
    node = Node()
    node.claim = writer.claim(10)
    node.node = node  # type: ignore[attr-defined]
    del node
    collect(elsewhere)
    assert_free(ring_path)
    assert writer.append(b"next") == 1


@pytest.mark.parametrize("lock", ["append", "session"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another thread"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_in_a_cycle_with_its_writer_lets_go(ring_path: str, elsewhere: bool, lock: str) -> None:
    """The writer's finalizer may come first; it can't wait for the claim to be over."""
    writer = ringlog.Writer(ring_path, capacity=CAPACITY, lock=lock)  # type: ignore[arg-type]
    writer.claim_of_mine = writer.claim(10)  # type: ignore[attr-defined]
    del writer
    collect(elsewhere)
    assert ringlog.info(ring_path).writers == ()
    assert_free(ring_path)


def collect(elsewhere: bool) -> None:
    if not elsewhere:
        gc.collect()
        return
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
