"""record and follow: a ring's stream on disk, without a duplicate, and without a gap that is not told."""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from log_support import numbered, parse, read_all, segments
from oracle import RingFile
from processes import Child, eventually

import ringlog


def publish(ring: str, datas: list[bytes]) -> None:
    with ringlog.Writer(ring) as writer:
        for data in datas:
            writer.append(data)


def end(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.end()


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


def test_the_same_bytes(ring: str, log: Path) -> None:
    publish(ring, numbered(1000))
    end(ring)
    assert ringlog.record(ring, log) == 1000
    (path,) = segments(log)
    with RingFile(ring, writable=False) as file:
        data = file.memory[file.data_start : file.data_start + file["write_offset"] - 24]
        start = file["start_timestamp"]
    assert path.read_bytes()[24:] == data
    assert parse(path).start_timestamp == start
    assert ringlog.verify(log).ok
    assert ringlog.record(ring, log) == 0


@pytest.mark.parametrize("segment_bytes", [500, 5000, 1 << 20])
def test_it_rolls(ring: str, log: Path, segment_bytes: int) -> None:
    publish(ring, numbered(1000))
    end(ring)
    assert ringlog.record(ring, log, segment_bytes=segment_bytes) == 1000
    assert read_all(log) == numbered(1000)
    assert all(path.stat().st_size <= segment_bytes for path in segments(log))


def test_it_records_while_it_runs(ring: str, log: Path) -> None:
    stop = threading.Event()
    total: list[int] = []
    thread = threading.Thread(target=lambda: total.append(ringlog.record(ring, log, stop=stop)))
    thread.start()
    eventually(lambda: ringlog.info(ring).readers)
    publish(ring, numbered(20_000))  # many times what the ring holds
    stop.set()
    thread.join(20)
    assert total == [20_000]
    assert read_all(log) == numbered(20_000)


def test_it_resumes(ring: str, log: Path) -> None:
    for k in range(5):
        publish(ring, numbered(300, first=300 * k))
        assert ringlog.record(ring, log, stop=lambda: True) == 300
    assert read_all(log) == numbered(1500)


def test_a_gap_is_exact(ring: str, log: Path) -> None:
    publish(ring, numbered(100))
    ringlog.record(ring, log, stop=lambda: True)
    ringlog.forget(ring, "recorder")
    publish(ring, numbered(5000, first=100))  # more than the ring holds, and nobody reads
    oldest = ringlog.info(ring).tail_count
    assert ringlog.record(ring, log, stop=lambda: True) == 5100 - oldest
    with ringlog.LogReader(log) as reader:
        assert len(reader.read_many(1000)) == 100
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read(0)
        assert (caught.value.first, caught.value.last) == (100, oldest - 1)
        assert [event.sequence for event in reader] == list(range(oldest, 5100))
    assert "1 gap between segments" in ringlog.verify(log).notes


def test_a_lossy_recording_writes_down_its_gaps(ring: str, log: Path) -> None:
    publish(ring, numbered(100))
    assert ringlog.record(ring, log, stop=lambda: True, lossless=False) == 100
    assert ringlog.info(ring).readers == ()
    publish(ring, numbered(5000, first=100))
    ringlog.record(ring, log, stop=lambda: True, lossless=False)
    events, lost = [], []
    with ringlog.LogReader(log) as reader:
        while True:
            try:
                events.append(reader.read(0).sequence)
            except ringlog.Overrun as error:
                lost += range(error.first, error.last + 1)
            except ringlog.StreamEnded:
                break
    assert sorted(events + lost) == list(range(5100))


def test_another_stream_is_not_mixed_in(ring: str, log: Path) -> None:
    publish(ring, numbered(10))
    ringlog.record(ring, log, stop=lambda: True)
    ringlog.unlink(ring)
    ringlog.create(ring, 65536)
    publish(ring, numbered(100))
    with pytest.raises(ValueError, match="another stream"):
        ringlog.record(ring, log, stop=lambda: True)
    assert read_all(log) == numbered(10)


@pytest.mark.parametrize("verify", [True, False])
def test_damage_in_the_ring(ring: str, log: Path, verify: bool) -> None:
    publish(ring, numbered(100))
    with RingFile(ring) as file:
        at = file.memory[:].rfind(numbered(1, first=50)[0])
        file.memory[at + 3] ^= 1
    if verify:
        with pytest.raises(ringlog.CorruptStream):
            ringlog.record(ring, log, stop=lambda: True)
        assert read_all(log) == numbered(len(read_all(log)))
    else:
        assert ringlog.record(ring, log, stop=lambda: True, verify=False) == 100
        assert not ringlog.verify(log).ok


def test_killed_and_started_again(ring: str, log: Path, spawn: Callable[..., Child]) -> None:
    """The recorder dies at any moment: no duplicate, and no gap, since the ring held what it missed."""
    dice = random.Random(2)
    total = 60_000
    code = """
    say("go")
    ringlog.record(path, sys.argv[2], segment_bytes=50_000)
    """
    child = spawn(code, ring, log)
    child.line()
    eventually(lambda: ringlog.info(ring).readers)

    def write() -> None:
        with ringlog.Writer(ring) as writer:
            for data in numbered(total):
                writer.append(data)
                while not alive[0]:
                    time.sleep(0.001)  # nobody is there to hold us up

    alive = [True]
    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(6):
        time.sleep(dice.uniform(0.02, 0.1))
        alive[0] = False
        child.signal(signal.SIGKILL)
        time.sleep(0.01)
        child = spawn(code, ring, log)
        child.line()
        eventually(lambda pid=child.pid: pid in [reader.pid for reader in ringlog.info(ring).readers])
        alive[0] = True
    thread.join(60)
    assert not thread.is_alive()
    end(ring)
    child.finish()
    assert read_all(log) == numbered(total)


def test_it_says_when_it_does_not_keep_up(
    ring_path: str, log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ringlog.log.recording.LONG", 0.0)
    ringlog.create(ring_path, 1 << 20)
    publish(ring_path, [bytes(1000)] * 900)
    ringlog.record(ring_path, log, stop=lambda: True)  # soon less than three quarters are left
    assert not caplog.records
    monkeypatch.setattr("ringlog.log.recording.BEHIND", 0.1)
    publish(ring_path, [bytes(1000)] * 900)
    ringlog.record(ring_path, log, stop=lambda: True)
    says = [record.getMessage() for record in caplog.records]
    assert says == [f"{log}: the recording does not keep up with the ring"]
    assert ringlog.verify(log).events == 1800


# ---- follow ----


def test_history_then_live(ring: str, log: Path) -> None:
    publish(ring, numbered(200))
    stop = threading.Event()
    thread = threading.Thread(target=lambda: ringlog.record(ring, log, stop=stop, segment_bytes=2000))
    thread.start()
    eventually(lambda: list(log.glob("*.events")))
    with ringlog.Writer(ring) as writer, ringlog.follow(log, ring) as events:
        for data in numbered(20_000, first=200):
            writer.append(data)
        writer.end()
        stop.set()
        thread.join(20)
        assert [event.data for event in events] == numbered(20_200)


def test_following_to_the_end_leaves_nothing_open(ring: str, log: Path) -> None:
    """In a `for` over `follow(...)` nobody has a name to close it by. A reader left open is a warning."""
    with ringlog.Writer(ring) as writer:
        writer.append_many([b"one", b"two"])
        writer.end()
    ringlog.record(ring, log)
    following = ringlog.follow(log, ring)
    assert [event.data for event in following] == [b"one", b"two"]
    assert following._live is None
    assert next(following, None) is None
    del following
    gc.collect()


def test_slower_than_the_ring(ring: str, log: Path) -> None:
    """It goes live, falls behind by more than the ring, and comes back to the log, several times."""
    stop = threading.Event()
    publish(ring, numbered(10))
    thread = threading.Thread(target=lambda: ringlog.record(ring, log, stop=stop))
    thread.start()
    eventually(lambda: ringlog.info(ring).readers)
    expected = 0
    with ringlog.Writer(ring) as writer, ringlog.follow(log, ring) as events:
        written = 10
        for _ in range(5):
            while expected < written:
                event = next(events)
                assert (event.sequence, event.data) == (expected, numbered(1, first=expected)[0])
                expected += 1
            for data in numbered(5000, first=written):
                writer.append(data)
            written += 5000
        writer.end()
        rest = [event.sequence for event in events]
    stop.set()
    thread.join(20)
    assert rest == list(range(expected, written))


def test_what_neither_has(ring: str, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringlog.log.following.PATIENCE", 0.05)
    publish(ring, numbered(100))
    ringlog.record(ring, log, stop=lambda: True)
    ringlog.forget(ring, "recorder")
    with ringlog.follow(log, ring) as events:
        assert [next(events).sequence for _ in range(100)] == list(range(100))
        publish(ring, numbered(5000, first=100))
        end(ring)
        oldest = ringlog.info(ring).tail_count
        with pytest.raises(ringlog.Overrun) as caught:
            next(events)
        assert (caught.value.first, caught.value.last) == (100, oldest - 1)
        assert [event.sequence for event in events] == list(range(oldest, 5100))


def test_a_log_of_another_ring(ring: str, log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"a")
    with ringlog.follow(log, ring) as events:
        assert next(events).data == b"a"
        with pytest.raises(ValueError, match="different streams"):
            next(events)
