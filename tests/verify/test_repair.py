"""`repair`: what a Writer's open would do, said first and done on demand; nothing else, ever."""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile, decode
from processes import NOBODY, Child, run
from test_recovery_planted import HEAD_STEPS, TAIL_STEPS, Step
from verify_support import BEGAN, HEADER, damaged, digest, log_bytes, places, whole, write_log
from writer_support import HOUR, assert_consistent, contents, crash, owner_word, plant_owner, restarted

import ringlog
from ringlog import repairing

CAPACITY = 1 << 16
EVENTS = [b"one", b"", b"three" * 20, bytes(100), b"five"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture
def ring(ring_path: str) -> str:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(3000):
            writer.append(b"event %d" % k)
    return ring_path


def nothing_to_do(path: str | Path) -> ringlog.Repair:
    """Asked to, it changes nothing."""
    before = digest(path)
    result = ringlog.repair(path, apply=True)
    assert (result.steps, result.done) == ((), False)
    assert digest(path) == before
    return result


# ---- rings ----


def test_a_whole_ring_is_left_alone(ring: str) -> None:
    assert nothing_to_do(ring).report == ringlog.verify(ring)


@pytest.mark.parametrize("step", HEAD_STEPS + TAIL_STEPS, ids=lambda step: step.__name__)
def test_after_a_killed_writer(ring: str, step: Step) -> None:
    late = time.time_ns() + HOUR // 2
    with RingFile(ring) as file:
        file.move_tail(1000)
        step(file, late)
        plant_owner(file)
    events = decode(ring)
    before = digest(ring)
    planned = ringlog.repair(ring)
    assert planned.steps
    assert "take the write lock" in planned.steps[0]
    assert not planned.done
    assert digest(ring) == before
    done = ringlog.repair(ring, apply=True)
    assert (done.steps, done.done) == (planned.steps, True)
    assert done.report.ok
    assert done.report.notes == ()
    assert decode(ring) == events
    assert assert_consistent(ring) == 3000
    nothing_to_do(ring)


def test_it_says_what_is_half_done(ring: str) -> None:
    with RingFile(ring) as file:
        file["event_count"] += 2
        file.set_pair("gate", *file.places()[20])
        gate = file["gate_offset"]
        plant_owner(file)
    _, undo, room = ringlog.repair(ring).steps
    assert "not finished (2 events)" in undo
    assert room.endswith(f"up to position {gate}")


def test_an_owner_that_lives_is_never_touched(ring: str, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        with ringlog.Writer(path, lock="session") as writer:
            say("locked")
            sys.stdin.readline()
            writer.append(b"last")
        """,
        ring,
    )
    child.line()
    nothing_to_do(ring)
    child.tell()
    child.finish()
    assert ringlog.info(ring).event_count == 3001


def test_damage_is_reported_and_not_touched(ring: str) -> None:
    with RingFile(ring) as file:
        bad = file.places()[100].position
        file.write(bad + 16, b"?")
    result = nothing_to_do(ring)
    assert result.report.first_bad == bad


def test_damage_beside_a_killed_writer(ring: str) -> None:
    """The one is put in order, the other is told."""
    with RingFile(ring) as file:
        bad = file.places()[100].position
        file.write(bad + 16, b"?")
        file["event_count"] += 1
        plant_owner(file)
    result = ringlog.repair(ring, apply=True)
    assert result.done
    assert result.report.first_bad == bad
    with RingFile(ring) as file:
        assert (file["owner"], file["event_count"]) == (0, 3000)


def test_an_owner_in_a_slot_that_does_not_exist(ring: str) -> None:
    with RingFile(ring) as file:
        file["owner"] = owner_word(999, 3)
    assert "slot 999" in ringlog.repair(ring).steps[0]
    assert ringlog.repair(ring, apply=True).report.notes == ()


def test_a_header_that_recovery_refuses(ring: str) -> None:
    with RingFile(ring) as file:
        file["head[0].position"] = file["head[1].position"] = 5
        plant_owner(file)
    result = nothing_to_do(ring)
    assert (result.report.first_bad, result.report.ok) == (0, False)


@pytest.mark.parametrize("change", ["cut", "stride"])
def test_a_file_that_is_no_ring_any_more(ring: str, change: str) -> None:
    if change == "cut":
        os.truncate(ring, 70_000)
    else:
        with RingFile(ring) as file:
            file["stride"] = 1
    assert not nothing_to_do(ring).report.ok


@pytest.mark.parametrize("synced", [True, False])
def test_after_a_restart_of_the_machine(disk_path: str, synced: bool) -> None:
    writer = ringlog.Writer(disk_path, capacity=CAPACITY)
    writer.append_many([b"kept %d" % k for k in range(10)])
    if synced:
        writer.sync()
    head = ringlog.info(disk_path).write_offset
    writer.append_many([b"lost %d" % k for k in range(5)])
    writer.close()
    crash(disk_path, behind=head if synced else 24)
    stream = stream_id(disk_path)
    shutil.copy(disk_path, disk_path + ".copy")
    before = digest(disk_path)
    (step,) = ringlog.repair(disk_path).steps
    assert digest(disk_path) == before
    assert ("keep 10 events, sequences 0 to 9" if synced else "empty window") in step
    assert "new" in step
    done = ringlog.repair(disk_path, apply=True)
    assert done.done
    assert done.report.ok
    assert contents(disk_path) == restarted(disk_path + ".copy")
    assert len(contents(disk_path)) == (10 if synced else 0)
    assert stream_id(disk_path) != stream
    nothing_to_do(disk_path)


def test_a_ring_that_was_closed_clean_keeps_its_stream(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=3600) as writer:
        writer.append_many([b"kept"] * 10)
    stream = stream_id(disk_path)
    crash(disk_path, scribble=False)
    (step,) = ringlog.repair(disk_path).steps
    assert "the stream goes on" in step
    assert ringlog.repair(disk_path, apply=True).done
    assert stream_id(disk_path) == stream
    whole(disk_path, 10)


def stream_id(path: str) -> bytes:
    with RingFile(path, writable=False) as file:
        return file.raw("stream_id")


@as_root
def test_saying_needs_read_permission_and_doing_more(ring: str) -> None:
    with RingFile(ring) as file:
        plant_owner(file)
    os.chmod(ring, 0o644)
    before = digest(ring)
    code = """
        say(len(ringlog.repair(path).steps))
        try:
            ringlog.repair(path, apply=True)
        except PermissionError:
            say("no")
        """
    assert run(code, ring, user=NOBODY) == "1\nno\n"
    assert digest(ring) == before


# ---- logs ----


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
