"""Processes that die in the block of a claim or a view: nothing that was published is lost by it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from in_place_support import CAPACITY, lap, pattern
from oracle import decode
from processes import Child

import ringlog

CLAIMER = """
    number, laps, lock, moment = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    writer = ringlog.Writer(path, lock=lock)
    for k in range(laps * 100 + 7):
        with writer.claim(700) as view:
            view[:] = bytes([k & 0xFF]) * 700
    claim = writer.claim(9000)
    if moment != "before it is entered":
        view = claim.__enter__()
        view[: 9000 if moment == "when all is written" else 4500] = b"\\xff" * (
            9000 if moment == "when all is written" else 4500)
    if moment == "while it is held":
        held = view[10:]
        try:
            claim.__exit__(None, None, None)
        except BufferError:
            held[:] = b"\\xee" * len(held)
    say("in")
    sys.stdin.readline()
    """
MOMENTS = ["before it is entered", "half way", "when all is written", "while it is held"]


@pytest.mark.parametrize("lock", ["append", "session"])
@pytest.mark.parametrize("laps", [0, 2])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_claimer_is_killed(
    ring_path: str, spawn: Callable[..., Child], moment: str, laps: int, lock: str
) -> None:
    ringlog.create(ring_path, CAPACITY)
    child = spawn(CLAIMER, ring_path, 0, laps, lock, moment)
    assert child.line() == "in"
    count = ringlog.info(ring_path).event_count
    with ringlog.Reader(ring_path, start="oldest") as reader, ringlog.Reader(ring_path) as latest:
        before = decode(ring_path)
        assert before[-1].data == bytes([(count - 1) & 0xFF]) * 700
        child.kill()
        assert decode(ring_path) == before
        with ringlog.Writer(ring_path, timeout=20) as writer:
            assert writer.append(b"next") == count
            with writer.claim(3) as view:
                view[:] = b"and"
            assert [event.data for event in latest.read_many()] == [b"next", b"and"]
            assert [event.data for event in reader.read_many(5000)] == [e.data for e in before] + [
                b"next",
                b"and",
            ]
            lap(writer, ring_path)
    assert latest.lost == reader.lost == 0


def test_a_writer_waits_for_one_that_stops_and_dies(ring_path: str, spawn: Callable[..., Child]) -> None:
    """A stopped claimer holds the lock; a dead one doesn't."""
    ringlog.create(ring_path, CAPACITY)
    child = spawn(CLAIMER, ring_path, 0, 0, "append", "half way")
    assert child.line() == "in"
    child.signal(signal.SIGSTOP)
    with ringlog.Writer(ring_path, timeout=0.05) as writer:
        with pytest.raises(ringlog.WriterBusy, match=str(child.pid)):
            writer.append(b"no")
        child.kill()
    with ringlog.Writer(ring_path, timeout=20) as writer:
        assert writer.append(b"yes") == 7


@pytest.mark.parametrize("name", ["", "n"])
def test_a_reader_is_killed_in_a_view(ring_path: str, spawn: Callable[..., Child], name: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.02) as writer:
        for number in range(10):
            writer.append(pattern(number, 484))
        child = spawn(
            """
            reader = ringlog.Reader(path, lossless=True, name=sys.argv[2] or None, start="oldest")
            for _ in range(3):
                reader.poll()
            view = reader.view()
            event = view.__enter__()
            reader.read_many()
            say(event.sequence)
            sys.stdin.readline()
            """,
            ring_path,
            name,
        )
        assert child.line() == "3"
        [seen] = ringlog.info(ring_path).readers
        assert seen.sequence == 3
        child.kill()
        if name:
            with ringlog.Reader(ring_path, name=name) as reader:
                assert [event.sequence for event in reader.read_many()] == list(range(3, 10))
        else:
            lap(writer, ring_path)
