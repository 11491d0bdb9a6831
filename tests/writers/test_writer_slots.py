"""Writer slots: 64 of them, those of the dead are used again, their epochs never."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from oracle import RingFile
from processes import Child
from writer_support import assert_consistent, slot_epochs

import ringlog

OPENER = """
for _ in range(200):
    child = os.fork()
    if child == 0:
        writer = ringlog.Writer(path, timeout=30)
        writer.append(b"x")
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
say("done")
"""


def test_the_65th_writer_is_busy(ring_path: str) -> None:
    writers = [ringlog.Writer(ring_path, capacity=1 << 16, timeout=0.2) for _ in range(64)]
    try:
        with pytest.raises(ringlog.WriterBusy, match="64 writers"):
            ringlog.Writer(ring_path)
        for writer in writers:
            writer.append(b"x")
        assert len(ringlog.info(ring_path).writers) == 64
        writers.pop(30).close()
        writers.append(ringlog.Writer(ring_path))
        with pytest.raises(ringlog.WriterBusy, match="64 writers"):
            ringlog.Writer(ring_path)
        assert writers[-1].append(b"x") == 64
    finally:
        for writer in writers:
            writer.close()
    assert ringlog.info(ring_path).writers == ()
    assert assert_consistent(ring_path) == 65


def test_slots_of_killed_writers_are_used_again_under_new_epochs(
    ring_path: str, spawn: Callable[..., Child]
) -> None:
    ringlog.create(ring_path, 1 << 16)
    child = spawn(OPENER, ring_path)
    with RingFile(ring_path) as file:
        before = sum(slot_epochs(file))
        assert child.line() == "done"
        child.finish()
        epochs = slot_epochs(file)
        assert sum(epochs) == before + 200  # each opening has one of its own
        assert sum(epoch > 0 for epoch in epochs) < 64  # and they were not all left behind
        with ringlog.Writer(ring_path, timeout=10) as writer:
            writer.append(b"x")
            assert slot_epochs(file)[file["last_owner"] & 0xFFFF] == file["last_owner"] >> 16
    assert assert_consistent(ring_path) == 201


def test_owner_words_are_never_used_twice(ring_path: str) -> None:
    words = set()
    with ringlog.Writer(ring_path, capacity=1 << 16), RingFile(ring_path) as file:
        for _ in range(50):
            with ringlog.Writer(ring_path) as writer:
                writer.append(b"x")
                words.add(file["last_owner"])
    assert len(words) == 50


def test_all_slots_at_once_from_processes_that_are_killed(
    ring_path: str, spawn: Callable[..., Child]
) -> None:
    code = """
        kept = [ringlog.Writer(path, timeout=30) for _ in range(int(sys.argv[2]))]
        for writer in kept:
            writer.append(b"x")
        say("full")
        time.sleep(300)
    """
    ringlog.create(ring_path, 1 << 16)
    for turn in range(3):
        children = [spawn(code, ring_path, 32) for _ in range(2)]
        for child in children:
            assert child.line() == "full"
        with pytest.raises(ringlog.WriterBusy, match="64 writers"):
            ringlog.Writer(ring_path)
        for child in children:
            child.kill()
        assert {writer.state for writer in ringlog.info(ring_path).writers} == {"dead"}
        with RingFile(ring_path) as file:
            assert slot_epochs(file) == [turn + 1] * 64


def test_a_process_killed_while_it_opens_stops_nobody(ring_path: str) -> None:
    """Forked, opening and closing all the time, killed soon."""
    ringlog.create(ring_path, 1 << 16)
    for turn in range(40):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    ringlog.Writer(ring_path).close()
            finally:
                os._exit(1)
        with ringlog.Writer(ring_path, timeout=30) as writer:
            for _ in range(turn):
                writer.append(b"x")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with ringlog.Writer(ring_path, timeout=30) as writer:
            writer.append(b"x")
    assert assert_consistent(ring_path) == sum(range(40)) + 40
