"""Claims hold the write lock from beginning to end, and let it go whatever happens."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable

import pytest
from in_place_support import (
    CAPACITY,
    Boom,
    asleep_in_turn,
    assert_free,
)
from oracle import RingFile, decode
from processes import Child, asleep, eventually

import ringlog


@pytest.mark.parametrize("timeout", [None, 20.0])
@pytest.mark.parametrize("lock", ["append", "session"])
def test_this_thread_is_refused_at_once(ring_path: str, lock: str, timeout: float | None) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, lock=lock, timeout=timeout) as writer:  # type: ignore[arg-type]
        with writer.claim(3) as view:
            for call in (
                lambda: writer.append(b""),
                lambda: writer.append_many([b""]),
                lambda: writer.append_array(b"a"),
                lambda: writer.claim(1),
                writer.end,
                writer.close,
            ):
                with pytest.raises(ringlog.WriterBusy):
                    call()
            view[:] = b"abc"
        assert [event.data for event in decode(ring_path)] == [b"abc"]
        assert writer.append(b"next") == 1


def test_a_session_goes_on(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, lock="session") as writer:
        with writer.claim(3) as view:
            view[:] = b"abc"
        with pytest.raises(Boom), writer.claim(3):
            raise Boom
        with pytest.raises(BufferError), writer.claim(3) as view:
            held = view[1:]
        writer.claim(3)
        with ringlog.Writer(ring_path, timeout=0) as other, pytest.raises(ringlog.WriterBusy):
            other.append(b"no")
        assert writer.append(b"mine") == 1
        held[:] = b"zz"
    assert [event.data for event in decode(ring_path)] == [b"abc", b"mine"]
    assert_free(ring_path)


def test_another_thread_waits(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.05) as writer:
        told: list[object] = []

        def append() -> None:
            try:
                told.append(writer.append(b"other"))
            except ringlog.WriterBusy:
                told.append("busy")

        with writer.claim(1) as view:
            thread = threading.Thread(target=append)
            thread.start()
            thread.join()
            assert told == ["busy"]
            view[:] = b"a"
        writer.append(b"b")
    with ringlog.Writer(ring_path) as writer:
        with writer.claim(1) as view:
            view[:] = b"c"
            thread = threading.Thread(target=append)
            thread.start()
            assert eventually(lambda: asleep_in_turn(thread))
        thread.join()
    assert [event.data for event in decode(ring_path)] == [b"a", b"b", b"c", b"other"]


def test_another_process_waits(ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]) -> None:
    code = """
        with ringlog.Writer(path, timeout=20) as writer:
            say("open")
            say(writer.append(b"other"))
        """
    claim = writer.claim(1)
    with claim as view:
        child = spawn(code, ring_path)
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        with ringlog.Writer(ring_path, timeout=0) as impatient, pytest.raises(ringlog.WriterBusy):
            impatient.append(b"no")
        view[:] = b"a"
    assert child.line() == "1"
    child.finish()
    assert [event.data for event in decode(ring_path)] == [b"a", b"other"]


def test_threads_take_turns(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20) as writer:
        sequences: list[list[int]] = [[] for _ in range(4)]

        def run(who: int) -> None:
            for number in range(200):
                claim = writer.claim(number)
                with claim as view:
                    view[:] = bytes([who]) * number
                assert claim.sequence is not None
                sequences[who].append(claim.sequence)

        threads = [threading.Thread(target=run, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(sequence for mine in sequences for sequence in mine) == list(range(800))
    events = decode(ring_path)
    for who in range(4):
        assert [events[sequence].data for sequence in sequences[who]] == [
            bytes([who]) * n for n in range(200)
        ]


def test_left_by_another_thread(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(1)
    claim.__enter__()[:] = b"x"
    thread = threading.Thread(target=claim.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert claim.sequence == 0
    assert writer.append(b"y") == 1
    assert_free(ring_path)


def test_the_lock_was_taken_away(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"before")
    with RingFile(ring_path) as file:
        before = file.pair("head")
        mine = 0
        claim = writer.claim(100)
        with pytest.raises(ringlog.WriterBusy), claim as view:
            view[:] = b"\xff" * 100
            mine = file["owner"]
            assert mine
            file["owner"] = 9 << 16 | 50  # of nobody alive
        assert (file["owner"], file.pair("head"), claim.sequence) == (9 << 16 | 50, before, None)
        for left in (lambda: writer.claim(5), lambda: None):  # collected: not ours to give either
            file["owner"] = 0
            held = left()
            file["owner"] = 9 << 16 | 50
            del held
            assert file["owner"] == 9 << 16 | 50
    assert writer.append(b"after") == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"after"]
    assert_free(ring_path)


def test_after_a_writer_that_died(ring_path: str, writer: ringlog.Writer) -> None:
    """The claim puts the ring in order before it says where to write."""
    writer.append(b"before")
    with RingFile(ring_path) as file:
        end = file.put_entry(file["write_offset"], b"half an event")
        file["event_count"] += 1
        file["last_timestamp"] += 1
        file["head[0].position"] = end if file["head[0].position"] != file["write_offset"] else 0
        file["owner"] = 7 << 16 | 5
    claim = writer.claim(3)
    with claim as view:
        view[:] = b"abc"
    assert claim.sequence == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"abc"]
    assert_free(ring_path)


@pytest.mark.parametrize("waits_for", ["the lock", "room"])
def test_ctrl_c_while_it_waits(ring_path: str, spawn: Callable[..., Child], waits_for: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0) as holder,
        ringlog.Reader(ring_path, lossless=True, wait="yield") as reader,
    ):
        if waits_for == "room":
            with pytest.raises(ringlog.RingFull):
                while True:
                    holder.append(bytes(1000))
        claim = holder.claim(0) if waits_for == "the lock" else None
        child = spawn(
            """
            with ringlog.Writer(path) as writer:
                say("open")
                try:
                    writer.claim(1000)
                except KeyboardInterrupt:
                    say("stopped")
                sys.stdin.readline()
                with writer.claim(2) as view:
                    view[:] = b"ok"
            """,
            ring_path,
        )
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        child.signal(signal.SIGINT)
        assert child.line() == "stopped"
        del claim
        reader.read_many(1000)
        holder.append(b"free")
        child.tell()
        child.finish()
        assert [event.data for event in reader.read_many()] == [b"free", b"ok"]


def test_without_a_descriptor(ring_path: str, writer: ringlog.Writer) -> None:
    """A program that becomes a daemon closes what it doesn't know: then no mapping can be made for claims."""
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{entry}") == ring_path:
                os.close(int(entry))
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.claim(3)
    assert writer.append(b"abc") == 0
    assert_free(ring_path)
