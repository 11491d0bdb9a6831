"""A recording, played to a reader step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

import ringlog
from ringlog.testing import Replay, replayed

TIMES = [1_000_000_000 * k for k in (1, 2, 2, 7, 7, 50)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "recorded"
    with ringlog.LogWriter(path) as writer:
        for k, time in enumerate(TIMES):
            writer.append(b"%d" % k, timestamp=time)
    return path


def all_of(count: int = len(TIMES), first: int = 0) -> list[tuple[int, int, bytes]]:
    return [(k, TIMES[k], b"%d" % k) for k in range(first, count)]


def test_step_by_step(log: Path) -> None:
    with replayed(log) as replay, replay.reader() as reader:
        assert reader.poll() is None
        assert replay.step() == all_of(1)
        assert reader.read_many() == all_of(1)
        assert replay.step(2) == all_of(3, 1)
        assert replay.step(0) == []
        assert replay.rest() == all_of(first=3)
        assert reader.read_many() == all_of(first=1)
        assert replay.step() == []
        replay.end()
        with pytest.raises(ringlog.StreamEnded):
            reader.read(timeout=0)
    assert not Path(replay.path).exists()


def test_an_overrun_is_where_the_test_wants_it(log: Path) -> None:
    with replayed(log) as replay, replay.reader() as reader:
        replay.step(2)
        assert reader.read(timeout=10) == all_of()[0]
        assert replay.overrun(2) == range(4)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read(timeout=0)
        assert (caught.value.first, caught.value.last) == (1, 3)
        assert replay.rest() == all_of(first=4)
        assert reader.read_many() == all_of(first=4)
        assert replay.overrun() == range(4, 6)  # the end: what was still there
        assert replay.overrun() == range(6, 6)
        assert reader.poll() is None


def test_a_lossless_reader_is_waited_for(log: Path) -> None:
    with replayed(log) as replay, replay.reader(lossless=True) as reader:
        with pytest.raises(ringlog.RingFull):
            replay.overrun(2)
        assert reader.read_many() == all_of(2)
        assert replay.overrun(0) == range(2)


def test_iteration_publishes_and_yields(log: Path) -> None:
    with replayed(log, start=2) as replay, replay.reader() as reader:
        for event in replay:
            assert reader.poll() == event
            assert reader.poll() is None
        assert reader.sequence == 4
        assert isinstance(replay, Replay)


def test_it_fits_or_says_that_it_does_not(tmp_path: Path) -> None:
    with ringlog.LogWriter(tmp_path / "large") as writer:
        writer.append(bytes(300_000))
        for _ in range(20):
            writer.append(bytes(20_000))
    with replayed(tmp_path / "large") as replay, replay.reader() as reader:
        assert len(replay.rest()) == len(reader.read_many()) == 21
        assert reader.lost == 0
    with replayed(tmp_path / "large", start=1, capacity=1 << 16) as replay:
        reader = replay.reader(lossless=True)
        with pytest.raises(ringlog.RingFull):
            replay.rest()
        read = 0
        while more := reader.read_many():
            read += len(more)
            for _ in more:
                replay.step()
        assert read == 20


def test_gaps_of_the_recording_are_counted(ring_path: str, tmp_path: Path) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16) as writer:
        writer.append(b"first")
        ringlog.record(ring_path, tmp_path / "log", stop=lambda: True)
        for k in range(3000):
            writer.append(b"%d" % k * 20)
        writer.end()
    recorded = ringlog.record(ring_path, tmp_path / "log")
    with replayed(tmp_path / "log") as replay:
        told = len(replay.rest())
        assert replay.missing > 0
        assert told + replay.missing == 3001
        assert told <= recorded + 1


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replayed(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ringlog.NotARing):
        replayed(tmp_path / "empty")
