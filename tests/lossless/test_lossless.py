"""G3: while a lossless reader is attached and alive, the writer waits for it, or says why it cannot go on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import psutil
import pytest
from lossless_support import HOLD, SIZE, drained, fill
from oracle import RingFile
from processes import Child, eventually

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


# ---- the writer waits ----


def test_ring_full_names_the_reader_and_changes_nothing(ring: str) -> None:
    with ringlog.Reader(ring, name="slow"), ringlog.Writer(ring, timeout=0) as writer:
        count = fill(writer)
        before = RingFile(ring).memory[:]
        with pytest.raises(ringlog.RingFull, match=rf"'slow', pid {os.getpid()}\b") as caught:
            writer.append(bytes(SIZE))
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(ringlog.RingFull):
            writer.append_many([b"a", bytes(SIZE)])
        seen = ringlog.info(ring)
        assert seen.event_count == count == 65
        assert seen.tail_count == 0
        with RingFile(ring) as file:
            assert file.pair("gate") == file.pair("tail") == (24, 0)  # nobody was asked to go, in the end
            assert file["owner"] == 0
            assert file.memory[65536:] == before[65536:]


def test_ring_full_names_an_unnamed_reader_by_its_pid(ring: str, spawn: Callable[..., Child]) -> None:
    child = spawn(HOLD, ring, "")
    child.line()
    with ringlog.Writer(ring, timeout=0.05) as writer:
        fill(writer)
        with pytest.raises(
            ringlog.RingFull, match=rf"pid {child.pid} \({psutil.Process(child.pid).name()}\)"
        ):
            writer.append(bytes(SIZE))


def test_a_smaller_event_may_still_fit(ring: str) -> None:
    with ringlog.Reader(ring, lossless=True) as reader, ringlog.Writer(ring, timeout=0) as writer:
        assert fill(writer) == 65  # 536 bytes are left
        assert writer.append(bytes(536 - 16)) == 65
        with pytest.raises(ringlog.RingFull):
            writer.append(b"")
        assert len(drained(reader)) == 66


def test_reading_makes_room(ring: str) -> None:
    with ringlog.Reader(ring, lossless=True) as reader, ringlog.Writer(ring, timeout=0) as writer:
        total = fill(writer)
        following = 0
        for _ in range(200):
            event = reader.poll()
            assert event.sequence == following
            following += 1
            total += fill(writer)
        assert total - following >= 60  # it waits for what is needed, a stride at a time, not for more
        assert drained(reader) == list(range(following, total))


@pytest.mark.parametrize("way", ["poll", "read", "read_many", "iterate"])
def test_a_waiting_writer_goes_on_when_room_is_made(ring: str, way: str) -> None:
    with ringlog.Reader(ring, lossless=True) as reader, ringlog.Writer(ring, timeout=20) as writer:
        fill(writer, 65)
        thread = threading.Thread(target=fill, args=(writer, 10))
        thread.start()
        eventually(lambda: RingFile(ring, writable=False)["room_wanted"])
        got = 0
        while got < 75:
            if way == "poll":
                got += reader.poll() is not None
            elif way == "read_many":
                got += len(reader.read_many(7, 20))
            else:
                assert (reader.read(20) if way == "read" else next(reader)).sequence == got
                got += 1
        thread.join(20)
        assert not thread.is_alive()
    assert ringlog.info(ring).event_count == 75


def test_closing_the_reader_frees_the_writer(ring: str) -> None:
    reader = ringlog.Reader(ring, lossless=True)
    with ringlog.Writer(ring, timeout=20) as writer:
        fill(writer, 65)
        thread = threading.Thread(target=fill, args=(writer, 100))
        thread.start()
        eventually(lambda: RingFile(ring, writable=False)["room_wanted"])
        reader.close()
        thread.join(20)
        assert not thread.is_alive()
    assert ringlog.info(ring).readers == ()


def test_the_slowest_reader_counts(ring: str) -> None:
    with (
        ringlog.Reader(ring, name="fast") as fast,
        ringlog.Reader(ring, name="slow") as slow,
        ringlog.Writer(ring, timeout=0) as writer,
    ):
        total = fill(writer)
        drained(fast)
        fast.commit()
        with pytest.raises(ringlog.RingFull, match="'slow'"):
            writer.append(bytes(SIZE))
        slow.read_many(30)
        slow.commit()
        total += fill(writer)
        assert 90 <= total <= 95
        assert drained(slow) == list(range(30, total))
        assert drained(fast) == list(range(65, total))


def test_lossy_readers_do_not_count(ring: str) -> None:
    with ringlog.Reader(ring), ringlog.Writer(ring, timeout=0) as writer:
        assert fill(writer, 500) == 500
        assert ringlog.info(ring).readers == ()


def test_every_event_arrives_under_way(ring: str, spawn: Callable[..., Child]) -> None:
    """Thousands of laps of a small ring, two readers in two processes, sizes of all kinds."""
    writer = spawn(
        """
        with ringlog.Writer(path, timeout=20) as writer:
            say("ready")
            sys.stdin.readline()
            for k in range(30_000):
                writer.append(b"%d," % k + bytes(k * 7919 % 1500))
            writer.end()
        """,
        ring,
    )
    other = spawn(
        """
        with ringlog.Reader(path, lossless=True) as reader:
            say("attached")
            say(all(event[::2] == (k, b"%d," % k + bytes(k * 7919 % 1500)) for k, event in enumerate(reader)))
            say(reader.sequence, reader.lost)
        """,
        ring,
    )
    writer.line()
    other.line()
    with ringlog.Reader(ring, lossless=True) as reader:
        writer.tell()
        for k, event in enumerate(reader):
            assert event.sequence == k
            assert event.data == b"%d," % k + bytes(k * 7919 % 1500)
        assert reader.sequence == 30_000
        assert reader.lost == 0
    assert other.line() == "True"
    assert other.line() == "30000 0"
    writer.finish()
