"""record: a ring's stream on disk, without a duplicate, and without a gap that is not told."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from log_support import end, numbered, parse, publish, read_all, segments
from oracle import RingFile
from processes import Child, eventually

import ringlog


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

    def room() -> bool:
        """Half of the ring: a writer that needs room does not wait for a dead reader."""
        (recorder,) = ringlog.info(ring).readers
        return recorder.lag < 900

    def write() -> None:
        with ringlog.Writer(ring) as writer:
            for first in range(0, total, 100):
                eventually(room)
                for data in numbered(100, first=first):
                    writer.append(data)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(6):
        time.sleep(dice.uniform(0.02, 0.1))
        child.signal(signal.SIGKILL)
        child = spawn(code, ring, log)
        child.line()
        eventually(lambda pid=child.pid: pid in [reader.pid for reader in ringlog.info(ring).readers])
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


def test_into_a_log_that_was_made_empty(ring: str, log: Path) -> None:
    """It becomes the ring's, wherever that begins by now."""
    ringlog.LogWriter(log).close()
    publish(ring, numbered(100))
    assert ringlog.record(ring, log, stop=lambda: True) == 100
    assert ringlog.record(ring, log, stop=lambda: True) == 0
    publish(ring, numbered(20, first=100))
    assert ringlog.record(ring, log, stop=lambda: True) == 20
    assert read_all(log) == numbered(120)
    late = log.with_name("late")
    ringlog.LogWriter(late).close()
    ringlog.forget(ring, "recorder")
    publish(ring, numbered(3000))
    assert ringlog.record(ring, late, stop=lambda: True) > 1000
    (path,) = segments(late)
    with ringlog.LogReader(late) as reader:
        assert reader.sequence == int(path.stem) > 0
        assert sum(1 for _ in reader) == 3120 - int(path.stem)


def test_one_file_holds_a_stream_from_its_start(ring: str, log: Path) -> None:
    publish(ring, numbered(3000))
    with pytest.raises(ValueError, match="begins with event 0"):
        ringlog.record(ring, log.with_name("x.events"))
    assert not log.with_name("x.events").exists()


def test_a_gap_does_not_fit_into_one_file(ring: str, log: Path) -> None:
    path = log.with_name("x.events")
    publish(ring, numbered(100))
    assert ringlog.record(ring, path, stop=lambda: True) == 100
    ringlog.forget(ring, "recorder")
    publish(ring, numbered(3000, first=100))
    with pytest.raises(ValueError, match="gap"):
        ringlog.record(ring, path, stop=lambda: True)
    assert read_all(path) == numbered(100)


def test_a_new_log_has_what_the_ring_has(ring: str, log: Path) -> None:
    """Whatever another log has been recorded by this name."""
    publish(ring, numbered(100))
    assert ringlog.record(ring, log, stop=lambda: True) == 100
    publish(ring, numbered(10, first=100))
    second = log.with_name("second")
    assert ringlog.record(ring, second, stop=lambda: True) == 110
    assert read_all(second) == numbered(110)


def test_what_is_whole_in_front_of_damage(ring: str, log: Path) -> None:
    """What is whole in front of it is recorded, and its place is told; so each time."""
    publish(ring, numbered(500))
    with RingFile(ring) as file:
        at = file.data_start + 400 * 36 + 20
        file.memory[at] ^= 1
    for _ in range(2):
        with pytest.raises(ringlog.CorruptStream, match="sequence 400"):
            ringlog.record(ring, log, stop=lambda: True)
        assert read_all(log) == numbered(400)
    assert ringlog.record(ring, log, stop=lambda: True, verify=False) == 100
