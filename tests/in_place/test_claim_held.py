"""Claims: one block, once, and nobody reaches the ring by its memory afterwards."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest
from in_place_support import (
    HOLDERS,
    Boom,
    areas,
    assert_free,
    head,
    lap,
    mapped,
    pattern,
    scribble,
)
from oracle import decode

import ringlog

# ---- one block, once ----


def test_a_claim_is_for_one_block(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(3)
    with pytest.raises(ringlog.ClosedError):
        claim.__exit__(None, None, None)  # never entered: it stays to be
    with claim as view:
        view[:] = b"abc"
        with pytest.raises(ringlog.ClosedError):
            claim.__enter__()
    for again in (claim.__enter__, lambda: claim.__exit__(None, None, None)):
        with pytest.raises(ringlog.ClosedError):
            again()
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    assert (claim.sequence, head(ring_path)[1]) == (0, 1)
    assert_free(ring_path)


def test_what_is_beneath_gives_nothing_afterwards(writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        beneath = view.obj
    with pytest.raises(BufferError):
        memoryview(beneath)


def test_a_claim_can_not_be_made_or_copied(writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        view[:] = b"abc"
        for what in (writer.claim, view.obj):
            kind = type(what)
            with pytest.raises(TypeError):
                object.__new__(kind)
    claim = writer.claim(3)
    for attempt in (
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda c: type(c)(),
        lambda c: object.__new__(type(c)),
    ):
        with pytest.raises(TypeError):
            attempt(claim)
    with claim:
        pass


# ---- memory that is held on to ----


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_memory_that_is_held_is_not_the_rings_any_more(
    ring_path: str, writer: ringlog.Writer, hold: Callable[[memoryview], object]
) -> None:
    """Wherever in the ring it was: the events there stay what they are, whatever is written through it."""
    for number in range(12):
        with ringlog.Reader(ring_path) as reader:
            for _ in range(13):
                writer.append(pattern(number, 484))
            before, size = head(ring_path), 2000 + 2000 * number
            with pytest.raises(BufferError, match="nothing was published"), writer.claim(size) as view:
                view[:] = pattern(number, size)
                holder = hold(view)
            kept = np.array(holder, copy=True).tobytes()
            assert kept in (
                pattern(number, size),
                np.array(hold(memoryview(bytearray(pattern(number, size))))).tobytes(),
            )
            assert head(ring_path) == before
            assert len(reader.read_many()) == 13
        scribble(holder, 0x99)
        assert_free(ring_path)
        lap(writer, ring_path, laps=1)
        with writer.claim(100) as view:
            view[:] = pattern(5, 100)
        scribble(holder, 0xAA)
        assert decode(ring_path)[-1].data == pattern(5, 100)
        assert set(np.array(holder).tobytes()) == {0xAA}
        del holder, view


def test_many_that_are_held_do_not_meet(ring_path: str, writer: ringlog.Writer) -> None:
    arrays = []
    for number in range(40):
        writer.append(pattern(number, 900))
        with pytest.raises(BufferError), writer.claim(700) as view:
            view[:] = pattern(number, 700)
            arrays.append(np.frombuffer(view, "u1"))
    for number, array in enumerate(arrays):
        assert array.tobytes() == pattern(number, 700)
        array[:] = number
    lap(writer, ring_path)
    assert [set(array.tolist()) for array in arrays] == [{number} for number in range(40)]


def test_nothing_stays_mapped(ring_path: str, writer: ringlog.Writer) -> None:
    def hold(held: list[object]) -> None:
        with pytest.raises(BufferError), writer.claim(5000) as view:
            held.append(np.frombuffer(view, "u1"))

    def publish() -> None:
        with writer.claim(5000) as view:
            view[:] = bytes(5000)

    publish()
    hold([])
    publish()
    pieces, count = mapped(ring_path), areas()
    held: list[object] = []
    for _ in range(100):
        hold(held)
    assert mapped(ring_path) <= pieces  # whoever holds memory has no part of the file
    assert areas() >= count + 50
    held.clear()
    for _ in range(200):
        hold([])
        publish()
        with pytest.raises(Boom), writer.claim(10):
            raise Boom
        writer.claim(10)
    assert mapped(ring_path) == pieces
    assert areas() <= count + 20
    writer.close()
    assert mapped(ring_path) == 0


def test_nothing_is_leaked(writer: ringlog.Writer) -> None:
    def use() -> None:
        with writer.claim(10) as view:
            view[:] = bytes(10)
        writer.claim(10)
        with pytest.raises(Boom), writer.claim(10):
            raise Boom

    use()
    gc.collect()
    claim = writer.claim(1)
    kinds = [type(claim), type(claim.__enter__().obj)]
    del claim
    counts = [sys.getrefcount(thing) for thing in (writer, *kinds)]
    for _ in range(100):
        use()
    gc.collect()
    assert [sys.getrefcount(thing) for thing in (writer, *kinds)] == counts


def test_an_exception_and_held_memory(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(Boom), writer.claim(500) as view:
        array = np.frombuffer(view, "u1")
        raise Boom
    assert_free(ring_path)
    scribble(array, 0xCC)
    lap(writer, ring_path)


def test_a_thread_that_goes_on_writing(ring_path: str, writer: ringlog.Writer) -> None:
    """It writes while the block is left and the pages are exchanged."""
    stop = threading.Event()
    going = threading.Semaphore(0)

    def write(array: np.ndarray) -> None:
        going.release()
        while not stop.is_set():
            array[:] = 0x77

    threads = []
    for number in range(8):
        with pytest.raises(BufferError), writer.claim(20000) as view:
            threads.append(threading.Thread(target=write, args=(np.frombuffer(view, "u1"),)))
            threads[-1].start()
            assert going.acquire(timeout=20)
        writer.append(pattern(number, 3000))
    try:
        lap(writer, ring_path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
