"""G3: while a lossless reader is attached and alive, the writer waits for it, or says why it cannot go on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import psutil
import pytest
from oracle import SLOT_ACTIVE, SLOT_FREE, RingFile
from processes import Child, eventually

import ringlog

SIZE = 1000 - 16


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


def fill(writer: ringlog.Writer, limit: int = 1000) -> int:
    """Append until there is no room; how many went in."""
    for count in range(limit):
        try:
            writer.append(b"%06d" % count + bytes(SIZE - 6))
        except ringlog.RingFull:
            return count
    return limit


def drained(reader: ringlog.Reader) -> list[int]:
    return [event.sequence for event in reader.read_many(10_000)]


HOLD = """
    with ringlog.Reader(path, lossless=True, name=sys.argv[2] or None) as reader:
        say("attached")
        sys.stdin.readline()
    """


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
