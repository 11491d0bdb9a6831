"""Lossless readers come and go: joining beside a writer at work, dying, slots."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import psutil
import pytest
from lossless_support import HOLD, SIZE, drained, fill
from oracle import SLOT_ACTIVE, SLOT_FREE, RingFile
from processes import Child, eventually

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


# ---- the dead ----


@pytest.mark.parametrize("name", ["", "gone"])
def test_a_killed_reader_holds_nobody_up(ring: str, spawn: Callable[..., Child], name: str) -> None:
    child = spawn(HOLD, ring, name)
    child.line()
    with ringlog.Writer(ring, timeout=20) as writer:
        assert fill(writer, 65) == 65
        child.kill()
        assert fill(writer, 100) == 100
    readers = ringlog.info(ring).readers
    assert [(reader.name, reader.state) for reader in readers] == ([("gone", "dead")] if name else [])


def test_a_reader_killed_while_the_writer_waits(ring: str, spawn: Callable[..., Child]) -> None:
    child = spawn(HOLD, ring, "")
    child.line()
    with ringlog.Writer(ring, timeout=20) as writer:
        fill(writer, 65)
        thread = threading.Thread(target=fill, args=(writer, 100))
        thread.start()
        eventually(lambda: RingFile(ring, writable=False)["room_wanted"])
        child.kill()
        thread.join(20)
        assert not thread.is_alive()
    assert ringlog.info(ring).event_count == 165


def test_a_stopped_reader_is_not_dead(ring: str, spawn: Callable[..., Child]) -> None:
    child = spawn(HOLD, ring, "asleep")
    child.line()
    child.signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
    with ringlog.Writer(ring, timeout=1.5) as writer:
        fill(writer, 65)
        with pytest.raises(ringlog.RingFull, match=r"'asleep', pid \d+ \(.*\), stopped"):
            writer.append(bytes(SIZE))
    assert ringlog.info(ring).readers[0].state == "stopped"


# ---- joining ----


def test_a_join_at_the_gate(ring: str) -> None:
    """The writer has said that the tail will move: who joins now begins where it will stand."""
    with ringlog.Writer(ring) as writer:
        fill(writer, 60)
    with RingFile(ring) as file:
        gate = file.places()[20]
        file.set_pair("gate", *gate)
        with ringlog.Reader(ring, start="oldest") as lossy:
            assert lossy.sequence == 0
        with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
            assert (reader.position, reader.sequence) == gate
            slot = next(file.reader_slots())
            assert (slot.status, slot.cursor, slot.sequence) == (SLOT_ACTIVE, *gate)
            assert file["reader_bits"] != bytes(512)
            assert drained(reader) == list(range(20, 60))
            assert reader.lost == 0
        with ringlog.Reader(ring, start=5, lossless=True) as reader:
            with pytest.raises(ringlog.Overrun) as caught:
                reader.poll()
            assert (caught.value.first, caught.value.last) == (5, 19)
        assert next(file.reader_slots()).status == SLOT_FREE


def test_a_join_at_the_oldest_holds_the_writer_at_once(ring: str) -> None:
    with ringlog.Writer(ring, timeout=0) as writer:
        fill(writer, 200)
        tail = ringlog.info(ring).tail_count
        with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
            count = 200 + fill(writer)
            assert drained(reader) == list(range(tail, count))


def test_seeking_back_and_forth_moves_the_cursor(ring: str) -> None:
    with ringlog.Writer(ring, timeout=0) as writer, ringlog.Reader(ring, lossless=True) as reader:
        fill(writer)
        reader.seek("latest")
        fill(writer, 30)
        reader.seek("oldest")
        assert ringlog.info(ring).readers[0].sequence == ringlog.info(ring).tail_count
        with pytest.raises(ringlog.RingFull):
            [writer.append(bytes(SIZE)) for _ in range(70)]
        assert drained(reader)[0] == ringlog.info(ring).tail_count


def test_all_slots_taken(ring_path: str) -> None:
    ringlog.create(ring_path, 65536, max_readers=2)
    with ringlog.Reader(ring_path, lossless=True):
        second = ringlog.Reader(ring_path, lossless=True)
        with pytest.raises(ringlog.TooManyReaders, match=r"all 2 .*slots"):
            ringlog.Reader(ring_path, lossless=True)
        with pytest.raises(ringlog.TooManyReaders):
            ringlog.Reader(ring_path, name="third")
        ringlog.Reader(ring_path).close()
        second.close()
        ringlog.Reader(ring_path, lossless=True).close()


def test_a_dead_readers_slot_is_taken_again(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536, max_readers=1)
    for _ in range(2):
        child = spawn(HOLD, ring_path, "")
        child.line()
        child.kill()
    with ringlog.Reader(ring_path, lossless=True):
        assert ringlog.info(ring_path).readers[0].pid == os.getpid()
