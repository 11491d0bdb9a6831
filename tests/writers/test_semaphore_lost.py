"""G5: whatever becomes of the semaphore, one writer at a time, and nobody waits for a token that never comes.

States of the semaphore are planted; then writers in one process and in several go on.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import posix_ipc
import pytest
from oracle import RingFile, decode
from processes import Child, eventually
from writer_support import (
    IMPORTABLE,
    assert_consistent,
    assert_whole,
    payload,
    semaphore_name,
    semaphore_value,
    set_semaphore,
)

import ringlog

APPENDER = (
    IMPORTABLE
    + """
from writer_support import payload
who, count = int(sys.argv[2]), int(sys.argv[3])
with ringlog.Writer(path, timeout=60) as writer:
    writer_ready = say("ready")
    sys.stdin.readline()
    for number in range(count // 2):
        writer.append(payload(who, number))
    say("half")
    sys.stdin.readline()
    number = count // 2
    while number < count:
        batch = range(number, min(number + 7, count))
        writer.append_many([payload(who, k) for k in batch])
        number = batch.stop
say("done")
"""
)


def removed(name: str) -> None:
    posix_ipc.unlink_semaphore(name)


def stuck(name: str) -> None:
    set_semaphore(name, 0)


def over_posted(name: str) -> None:
    set_semaphore(name, 5)


def divided(name: str) -> None:
    """Whoever opens it from now on gets another one."""
    posix_ipc.unlink_semaphore(name)
    set_semaphore(name, 1)


def divided_and_stuck(name: str) -> None:
    posix_ipc.unlink_semaphore(name)
    set_semaphore(name, 0)


ALL = [removed, stuck, over_posted, divided, divided_and_stuck]
State = Callable[[str], None]


@pytest.mark.parametrize("state", ALL, ids=lambda state: state.__name__)
def test_a_lone_writer_goes_on(ring_path: str, state: State) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16, timeout=30) as writer:
        writer.append(b"0")
        state(semaphore_name(ring_path))
        assert writer.append(b"1") == 1
        assert writer.append(b"2") == 2
    with ringlog.Writer(ring_path, timeout=30) as writer:
        assert writer.append(b"3") == 3
    assert assert_consistent(ring_path) == 4


@pytest.mark.parametrize("state", ALL, ids=lambda state: state.__name__)
def test_the_lock_still_excludes(ring_path: str, state: State) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16, lock="session") as holder:
        holder.append(b"0")
        state(semaphore_name(ring_path))
        with ringlog.Writer(ring_path, timeout=0.4) as other:
            with pytest.raises(ringlog.WriterBusy):
                other.append(b"1")
            holder.append(b"1")
    with ringlog.Writer(ring_path, timeout=30) as writer:
        assert writer.append(b"2") == 2
    assert assert_consistent(ring_path) == 3
    assert semaphore_value(semaphore_name(ring_path)) == 1


@pytest.mark.parametrize("state", ALL, ids=lambda state: state.__name__)
def test_who_waits_while_it_happens_gets_the_lock(ring_path: str, state: State) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16, timeout=30) as other:
        holder = ringlog.Writer(ring_path, lock="session")
        thread = threading.Thread(target=other.append, args=(b"0",))
        thread.start()
        with RingFile(ring_path) as file:
            eventually(lambda: file["owner"] >> 63)  # it waits, and has asked for its turn
        state(semaphore_name(ring_path))
        holder.close()
        thread.join(30)
        assert not thread.is_alive()
    assert [event.data for event in decode(ring_path)] == [b"0"]
    assert_consistent(ring_path)


@pytest.mark.parametrize("state", ALL, ids=lambda state: state.__name__)
def test_three_processes_go_on_and_nothing_is_lost_or_torn(
    ring_path: str, state: State, spawn: Callable[..., Child]
) -> None:
    count = 4000
    ringlog.create(ring_path, 1 << 22)
    children = [spawn(APPENDER, ring_path, who, count) for who in range(3)]
    for child in children:
        assert child.line() == "ready"
    for child in children:
        child.tell()
    for child in children:
        assert child.line() == "half"
    name = semaphore_name(ring_path)
    state(name)
    late = spawn(APPENDER, ring_path, 3, count)  # opens what is there now
    assert late.line() == "ready"
    late.tell()
    for child in children:
        child.tell()
    assert late.line() == "half"
    late.tell()
    for child in [*children, late]:
        assert child.line() == "done"
        child.finish()
    assert_whole(decode(ring_path), dict.fromkeys(range(4), count))
    assert_consistent(ring_path)
    with ringlog.Writer(ring_path, timeout=30) as writer:  # whoever comes now needs no wait
        writer.append(payload(4, 0))
    assert semaphore_value(name) in range(1, 6)


def test_surplus_tokens_are_taken_out_when_writers_meet(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16, timeout=30) as other:
        name = semaphore_name(ring_path)
        set_semaphore(name, 5)
        holder = ringlog.Writer(ring_path, lock="session")
        thread = threading.Thread(target=other.append, args=(b"0",))
        thread.start()
        with RingFile(ring_path) as file:
            eventually(lambda: file["owner"] >> 63)
        holder.close()
        thread.join(30)
    assert semaphore_value(name) == 1


def test_waiting_for_the_lock_of_a_removed_ring_ends_at_once(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=1 << 16, lock="session"),
        ringlog.Writer(ring_path, timeout=1.0) as other,
    ):
        name = semaphore_name(ring_path)
        ringlog.unlink(ring_path)
        with pytest.raises(ringlog.RingRemoved):
            other.append(b"0")
    set_semaphore(name, 0)  # whether it was made again is another test
    posix_ipc.unlink_semaphore(name)


def test_waiting_for_the_lock_of_a_removed_ring_makes_no_semaphore(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=1 << 16, lock="session"),
        ringlog.Writer(ring_path, timeout=1.0) as other,
    ):
        name = semaphore_name(ring_path)
        ringlog.unlink(ring_path)
        with pytest.raises((ringlog.RingRemoved, ringlog.WriterBusy)):
            other.append(b"0")
        assert semaphore_value(name) is None


def test_three_appenders_with_a_saboteur() -> None:
    """The script beside this file, for a moment."""
    script = Path(__file__).with_name("three_appenders.py")
    command = [sys.executable, str(script), "--seconds", "2"]
    said = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    print(said.stdout, said.stderr)
    assert said.returncode == 0
    assert "lost: 0, torn: 0, twice: 0" in said.stdout
