"""What `ringlog.info` tells about a ring, its writers and its readers."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest
from oracle import RingFile
from processes import Child, eventually

import ringlog

WRITE = """
    with ringlog.Writer(path) as writer:
        writer.append(b"x")
        say("appended")
        sys.stdin.readline()
    """


def test_an_empty_ring(ring_path: str) -> None:
    before = time.time_ns()
    info = ringlog.create(ring_path, 131072)
    assert info == ringlog.info(ring_path)
    assert before <= info.start_timestamp <= time.time_ns()
    assert len(bytes.fromhex(info.stream_id)) == 16
    assert dataclasses.replace(info, stream_id="", start_timestamp=0) == ringlog.RingInfo(
        path=ring_path,
        stream_id="",
        version=1,
        capacity=131072,
        data_start=65536,
        write_offset=24,
        event_count=0,
        start_timestamp=0,
        tail_offset=24,
        tail_count=0,
        ended=False,
        writer=None,
        writers=(),
        readers=(),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.capacity = 1


def test_every_ring_has_ids_of_its_own(ring_path: str) -> None:
    seen = set()
    for _ in range(5):
        ringlog.create(ring_path, 65536)
        with RingFile(ring_path) as file:
            assert ringlog.info(ring_path).stream_id == file.raw("stream_id").hex()
            seen |= {file.raw("stream_id"), file.raw("file_id")}
        ringlog.unlink(ring_path)
    assert len(seen) == 10


def test_it_agrees_with_the_file(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer, RingFile(ring_path) as file:
        for size in (0, 1, 30_000, 5, 32_000, 20_000, 9):
            writer.append(bytes(size))
            info = ringlog.info(ring_path)
            assert (info.write_offset, info.event_count) == file.pair("head")
            assert (info.tail_offset, info.tail_count) == file.pair("tail")


def test_it_changes_nothing(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path, name="n"):
        writer.append(b"x")
        with RingFile(ring_path) as file:
            before = file.memory[:]
            ringlog.info(ring_path)
            assert file.memory[:] == before


def test_writers(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as first, ringlog.Writer(ring_path) as second:
        info = ringlog.info(ring_path)
        assert info.writer is None  # nobody has published
        assert [(writer.pid, writer.state) for writer in info.writers] == [(os.getpid(), "idle")] * 2
        second.append(b"x")
        info = ringlog.info(ring_path)
        assert info.writer is not None
        assert (info.writer.pid, info.writer.state) == (os.getpid(), "active")
        assert 0 <= info.writer.age < 10
        assert info.writer == info.writers[1]
        assert info.writers[0].state == "idle"
        first.append(b"x")
        info = ringlog.info(ring_path)
        assert info.writer == info.writers[0]
        second.close()
        assert len(ringlog.info(ring_path).writers) == 1
    info = ringlog.info(ring_path)
    assert (info.writer, info.writers) == (None, ())


def test_a_writer_becomes_idle(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"x")
        eventually(lambda: ringlog.info(ring_path).writer.state == "idle")
        assert ringlog.info(ring_path).writer.age >= 1


def test_stopped_and_dead_writers(ring_path: str, spawn: Callable[..., Child]) -> None:
    child = spawn(WRITE, ring_path)
    assert child.line() == "appended"
    child.signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
    assert ringlog.info(ring_path).writer.state == "stopped"
    child.kill()
    info = ringlog.info(ring_path)
    assert (info.writer.pid, info.writer.state) == (child.pid, "dead")
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"x")
        info = ringlog.info(ring_path)
        assert (info.writer.pid, info.writer.state) == (os.getpid(), "active")


def test_readers(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"x"] * 10)
        with (
            ringlog.Reader(ring_path),
            ringlog.Reader(ring_path, lossless=True, start=4) as lossless,
            ringlog.Reader(ring_path, name="bö", start="oldest"),
        ):
            expected = [
                ringlog.ReaderInfo(None, os.getpid(), "active", True, 4, 6),
                ringlog.ReaderInfo("bö", os.getpid(), "active", True, 0, 10),
            ]
            assert list(ringlog.info(ring_path).readers) == expected
            lossless.read_many()
            assert ringlog.info(ring_path).readers[0] == ringlog.ReaderInfo(
                None, os.getpid(), "idle", True, 10, 0
            )
    (left,) = ringlog.info(ring_path).readers
    assert (left.name, left.state, left.sequence, left.lag) == ("bö", "dead", 0, 10)


def test_position_sequence_and_lag(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        assert (reader.position, reader.sequence, reader.lag, reader.lost) == (24, 0, 0, 0)
        writer.append_many([b"abc", b"", b"x"])
        assert (reader.position, reader.sequence, reader.lag, reader.lost) == (24, 0, 3, 0)
        reader.poll()
        assert (reader.position, reader.sequence, reader.lag, reader.lost) == (43, 1, 2, 0)
        for name in ("position", "sequence", "lag", "lost"):
            with pytest.raises(AttributeError):
                setattr(reader, name, 1)
