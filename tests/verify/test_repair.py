"""`repair`: what a Writer's open would do, said first and done on demand; nothing else, ever."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

import pytest
from oracle import RingFile, decode
from processes import NOBODY, Child, run
from test_recovery_planted import HEAD_STEPS, TAIL_STEPS, Step
from verify_support import digest, nothing_to_do, whole
from writer_support import HOUR, assert_consistent, contents, crash, owner_word, plant_owner, restarted

import ringlog

CAPACITY = 1 << 16
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture
def ring(ring_path: str) -> str:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(3000):
            writer.append(b"event %d" % k)
    return ring_path


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
