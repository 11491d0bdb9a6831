"""`repair` of logs: the torn end is cut off, and nothing else."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from verify_support import BEGAN, HEADER, damaged, digest, log_bytes, nothing_to_do, places, whole, write_log

import ringlog
from ringlog import repairing

EVENTS = [b"one", b"", b"three" * 20, bytes(100), b"five"]


def cut_at(path: Path, position: int, events: int) -> None:
    """Repair says that it would cut here, changes nothing, then does it; then there is nothing to do."""
    before = digest(path)
    (step,) = ringlog.repair(path).steps
    assert f"at position {position} " in step
    assert step.endswith(f": {events} event{'' if events == 1 else 's'} kept")
    assert digest(path) == before
    done = ringlog.repair(path, apply=True)
    assert (done.steps, done.done) == ((step,), True)
    assert whole(path, events) == done.report
    assert path.stat().st_size == position
    nothing_to_do(path)


@pytest.mark.parametrize("short", [1, 4, 5, 19, 20, 21, 100, 120, 136, 137, 200])
def test_a_log_that_ends_within_an_entry(tmp_path: Path, short: int) -> None:
    log = tmp_path / "log"
    log.write_bytes(log_bytes(EVENTS)[:-short])
    kept = [place for place in places(EVENTS) if place <= log.stat().st_size]
    cut_at(log, kept[-1], len(kept) - 1)
    assert log.read_bytes()[24:] == log_bytes(EVENTS)[24 : kept[-1]]


def test_a_log_whose_end_never_reached_the_disk(tmp_path: Path) -> None:
    """The header is there, and zeros where the last entries should be."""
    log = tmp_path / "log"
    content = bytearray(log_bytes(EVENTS))
    content[places(EVENTS)[3] :] = bytes(len(content) - places(EVENTS)[3])
    log.write_bytes(content)
    cut_at(log, places(EVENTS)[3], 3)


def test_a_log_whose_last_entry_is_torn(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(log_bytes(EVENTS)[:-1] + b"?")
    cut_at(log, places(EVENTS)[4], 4)


@pytest.mark.parametrize("offset", [0, 7, 8, 11, 12, 20])
def test_damage_in_the_middle_of_a_log_is_not_touched(tmp_path: Path, offset: int) -> None:
    """Timestamp, size, checksum, data: whole events stand behind it, and are worth more than order."""
    events = [b"%08d" % k for k in range(20)]
    log = tmp_path / "log"
    content = bytearray(log_bytes(events))
    content[places(events)[7] + offset] ^= 0x80
    log.write_bytes(content)
    assert not nothing_to_do(log).report.ok


def test_a_count_that_is_wrong_is_written_again(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", EVENTS, count=77)
    assert ringlog.repair(log).steps == ("write event_count 5 instead of 77",)
    assert ringlog.repair(log, apply=True).done
    assert log.read_bytes() == log_bytes(EVENTS)


def test_a_file_without_one_whole_event_is_not_cut(tmp_path: Path) -> None:
    """It may be no log at all, unless its name says so."""
    content = HEADER.pack(5000, 100, 1) + b"anything" * 800
    (tmp_path / "log").write_bytes(content)
    damaged(tmp_path / "log", 24, "size")
    nothing_to_do(tmp_path / "log")
    name = tmp_path / f"{0:020d}.events"
    name.write_bytes(content)
    cut_at(name, 24, 0)


def test_only_the_last_segment_is_cut(tmp_path: Path) -> None:
    content = log_bytes(EVENTS)
    first, last = (tmp_path / f"{number:020d}.events" for number in (0, 5))
    first.write_bytes(content)
    last.write_bytes(content[:-1])
    assert len(ringlog.repair(tmp_path).steps) == 1
    assert ringlog.repair(tmp_path, apply=True).report.ok
    assert last.stat().st_size == places(EVENTS)[4]
    first.write_bytes(content[:-1])
    result = ringlog.repair(tmp_path, apply=True)
    assert (result.steps, result.report.first_bad) == ((), places(EVENTS)[4])
    assert first.stat().st_size == len(content) - 1


def test_a_log_that_somebody_has_locked(tmp_path: Path) -> None:
    import fcntl

    log = tmp_path / "log"
    log.write_bytes(log_bytes(EVENTS)[:-1])
    with log.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert ringlog.repair(log).steps
        with pytest.raises(ringlog.WriterBusy):
            ringlog.repair(log, apply=True)
    assert ringlog.repair(log, apply=True).done


def test_events_that_look_like_events_are_no_reason_to_cut(tmp_path: Path) -> None:
    """A torn event that carries a whole one: it can't be told from damage, so it is left alone."""
    inner = log_bytes([b"inner"] * 3)
    log = tmp_path / "log"
    log.write_bytes(log_bytes([b"first", inner + bytes(100)])[:-50])
    assert not nothing_to_do(log).report.ok


def test_a_long_way_behind_the_bad_entry_is_no_torn_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "SEARCHED", 50)
    log = tmp_path / "log"
    log.write_bytes(log_bytes([b"first", bytes(60)])[:-1])
    assert not nothing_to_do(log).report.ok


def test_a_log_of_many_false_starts_ends(tmp_path: Path) -> None:
    """Bytes in which an entry seems to begin everywhere: the search gives up, and nothing is cut."""
    fake = struct.pack("<qII", BEGAN, 100_000, 1)
    log = tmp_path / "log"
    log.write_bytes(log_bytes([b"first", fake * 50_000])[:-3])
    started = time.monotonic()
    ringlog.repair(log)
    assert time.monotonic() - started < 60
