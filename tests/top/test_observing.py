"""The sampling layer: what two looks at a ring tell, and what becomes of rings that come, go and change."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile
from planted_rings import NOON, Clock
from processes import Child, eventually

import ringlog
from ringlog.observing import ReaderSample, RingSample, Sampler, WriterSample

LOSSLESS = """
    reader = ringlog.Reader(path, name=sys.argv[2], start="oldest")
    say("ready")
    for line in sys.stdin:
        say(len(reader.read_many(int(line))))
        reader.commit()
    """
WRITE_WITHOUT_END = """
    with ringlog.Writer(path) as writer:
        say("ready")
        while True:
            writer.append(bytes(48))
    """


def only(sampler: Sampler) -> RingSample:
    (ring,) = sampler.sample().rings
    return ring


def clocked(path: str | Path) -> tuple[Sampler, Clock]:
    clock = Clock()
    return Sampler([path], clock=clock.unix, monotonic=clock.monotonic), clock


def test_rates_are_from_look_to_look(ring_path: str) -> None:
    sampler, clock = clocked(ring_path)
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([bytes(48)] * 10, timestamp=NOON)
        first = only(sampler)
        assert (first.events, first.bytes, first.newest) == (10, 640, NOON)
        assert (first.events_per_second, first.bytes_per_second, first.holds) == (None, None, None)
        clock.go_on(2)
        writer.append_many([bytes(48)] * 10, timestamp=NOON)
        second = only(sampler)
        assert (second.events_per_second, second.bytes_per_second) == (5, 320)
        assert second.holds == 65536 / 320
        clock.go_on(2)
        third = only(sampler)
        assert (third.events_per_second, third.bytes_per_second, third.holds) == (0, 0, None)
        writer.end()
        assert only(sampler).ended


def test_looks_that_follow_close_on_each_other(ring_path: str) -> None:
    sampler, clock = clocked(ring_path)
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        rates = []
        for seconds in (0, 0.01, 0.2, 0.2, 0.2, 0.01, 1):
            clock.go_on(seconds)
            writer.append_many([b"x"] * 60, timestamp=NOON)
            rates.append(only(sampler).events_per_second)
    assert rates[:2] == [None, None]  # nothing to compare with, and nothing yet
    over = [(120, 0.21), (180, 0.41), (180, 0.6), (240, 0.61), (60, 1)]  # events, seconds
    assert rates[2:] == [pytest.approx(events / seconds) for events, seconds in over]


def test_another_ring_of_the_same_name_begins_anew(ring_path: str) -> None:
    sampler, clock = clocked(ring_path)
    for _ in range(2):
        with ringlog.Writer(ring_path, capacity=65536) as writer:
            writer.append_many([b"x"] * 10)
            assert only(sampler).events_per_second is None
            clock.go_on(1)
            assert only(sampler).events_per_second == 0
            clock.go_on(1)
        ringlog.unlink(ring_path)
    assert isinstance(only(sampler).error, FileNotFoundError)


def test_rings_below_a_folder(ring_folder: Path) -> None:
    sampler = Sampler([ring_folder])
    inner = ring_folder / "a" / "b"
    inner.mkdir(parents=True)
    try:
        (ring_folder / "text").write_text("no ring" * 100_000)
        (ring_folder / "link").symlink_to(inner / "ring")
        os.mkfifo(ring_folder / "pipe")
        ringlog.create(inner / "ring", 65536)
        eventually(lambda: [ring.path for ring in sampler.sample().rings] == [str(inner / "ring")])
        ringlog.unlink(inner / "ring")
        eventually(lambda: not sampler.sample().rings)
    finally:
        for name in ("text", "link", "pipe"):
            (ring_folder / name).unlink()
        inner.rmdir()
        inner.parent.rmdir()


@pytest.mark.parametrize("size", [16384, 65536 + 4096])
def test_a_ring_that_is_cut(ring_path: str, size: int) -> None:
    sampler = Sampler([ring_path])
    ringlog.create(ring_path, 65536)
    assert only(sampler).error is None
    os.truncate(ring_path, size)
    ring = only(sampler)
    assert isinstance(ring.error, ringlog.StreamTruncated)
    assert ring.severity == "problem"


def test_hostile_slots_do_no_harm(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with RingFile(ring_path) as file:
        file.memory[8192:16384] = b"\xff" * 8192
        file.memory[16384 : 16384 + 64 * 256] = bytes(range(256)) * 64
    sampler = Sampler([ring_path])
    for _ in range(2):
        for ring in sampler.sample().rings:
            assert ring.severity in ("", "note", "problem")


def test_what_a_name_has_missed(ring_path: str) -> None:
    sampler = Sampler([ring_path])
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        with ringlog.Reader(ring_path, name="n"):
            pass
        for _ in range(3000):
            writer.append(bytes(48))
        ring = only(sampler)
        (away,) = ring.readers
        assert (away.state, away.lost, away.lag) == ("away", ring.oldest, 3000)
        assert (ring.unread, ring.lag) == (0, 0)
        with ringlog.Reader(ring_path, name="n") as reader:
            (back,) = only(sampler).readers
            assert (back.state, back.lost, back.severity) == ("slow", ring.oldest, "note")
            with contextlib.suppress(ringlog.Overrun):
                reader.read()
            reader.read_many(5000)
            reader.commit()
            (told,) = only(sampler).readers
            assert (told.state, told.lost, told.severity) == ("idle", 0, "")


def test_stuck_slow_and_stopped(ring_path: str, spawn: Callable[..., Child]) -> None:
    sampler, clock = clocked(ring_path)
    ringlog.create(ring_path, 65536)
    reader = spawn(LOSSLESS, ring_path, "n")
    assert reader.line() == "ready"
    writer = spawn(WRITE_WITHOUT_END, ring_path)

    def look() -> tuple[WriterSample, ReaderSample]:
        clock.go_on(1)
        ring = only(sampler)
        return ring.writers[0], ring.readers[0]

    eventually(lambda: only(sampler).readers[0].holds_up)
    writing, reading = look()
    assert (writing.pid, writing.state, writing.severity) == (writer.pid, "waiting", "")
    assert (reading.pid, reading.state, reading.severity) == (reader.pid, "stuck", "problem")
    assert reading.why == "finished nothing in 1.0 s; the writer waits for it"
    reader.tell("100")
    assert reader.line() == "100"
    eventually(lambda: only(sampler).readers[0].sequence == 100 and only(sampler).readers[0].holds_up)
    sampler.sample()
    reader.tell("50")
    assert reader.line() == "50"
    _, reading = look()
    assert (reading.state, reading.severity) == ("slow", "note")
    reader.signal(signal.SIGSTOP)
    eventually(lambda: only(sampler).readers[0].state == "stopped")
    assert only(sampler).readers[0].severity == "problem"
    assert only(sampler).readers[0].why.endswith(f"kill -CONT {reader.pid}")
    reader.signal(signal.SIGCONT)
    reader.kill()
    eventually(lambda: only(sampler).readers[0].state == "away")
    writer.kill()
    eventually(lambda: only(sampler).writers[0].state == "dead")
    assert only(sampler).writers[0].why.startswith("died without closing; nobody writes")


def test_a_writer_that_is_stopped_with_the_lock(ring_path: str, spawn: Callable[..., Child]) -> None:
    writer = spawn('writer = ringlog.Writer(path, lock="session"); say("ready"); sys.stdin.read()', ring_path)
    assert writer.line() == "ready"
    sampler = Sampler([ring_path])
    writer.signal(signal.SIGSTOP)
    eventually(lambda: only(sampler).writers[0].state == "stopped")
    (stopped,) = only(sampler).writers
    assert (stopped.severity, stopped.holds_lock) == ("problem", True)
    assert stopped.why == f"stopped with the write lock: no writer can go on; kill -CONT {writer.pid}"


def test_processor_time_of_a_busy_process(ring_path: str, spawn: Callable[..., Child]) -> None:
    writer = spawn(WRITE_WITHOUT_END, ring_path)
    assert writer.line() == "ready"
    sampler = Sampler([ring_path])

    def cpu() -> float | None:
        process = only(sampler).writers[0].process
        return None if process is None else process.cpu

    assert cpu() is None
    eventually(lambda: (cpu() or 0) > 0.05)
