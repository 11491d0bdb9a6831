"""Eviction: who lives and does not go on is ended, after it was made sure who it is; nobody else ever is."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest
from oracle import HEADER_SIZE, RingFile, decode
from processes import NOBODY, eventually
from waits_support import CLAIM, LOSSLESS, SESSION, Spawn, append, fill, stop

import ringlog
from ringlog import eviction, liveness, users

WRITERS_AT = 8192
PID, SINCE_BOOT, READER_SINCE_BOOT = 8, 32, 40  # in a slot
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.mark.parametrize("owner", [SESSION, CLAIM], ids=["session", "claim"])
@pytest.mark.parametrize("how", ["stopped", "idle"])
def test_the_holder_of_the_lock(ring: str, spawn: Spawn, owner: str, how: str) -> None:
    holder = spawn(owner, ring)
    assert holder.line() == "ready"
    if how == "stopped":
        stop(holder)
    target = eviction.Ring(ring).lock_holder()
    assert target.identity.pid == holder.pid
    assert target.info.holds_lock
    eviction.Ring(ring).evict(target)
    assert holder.process.wait(20) == -signal.SIGKILL
    append(ring)
    assert [event.data for event in decode(ring)] == [b"held", b"next"]


@pytest.mark.parametrize("name", [None, "n"])
def test_a_reader_that_holds_the_writer_up(ring: str, spawn: Spawn, name: str | None) -> None:
    reader = spawn(LOSSLESS, ring, *([name] if name else []))
    assert reader.line() == "ready"
    stop(reader)
    with ringlog.Writer(ring, timeout=0) as writer:
        count = fill(writer)
        place = eviction.Ring(ring)
        place.evict(place.reader(name or str(reader.pid)))
        assert reader.process.wait(20) == -signal.SIGKILL
        assert writer.append(bytes(1000)) == count  # at once: its timeout is 0
    left = [(one.name, one.state) for one in ringlog.info(ring).readers]
    assert left == ([("n", "dead")] if name else [])
    if name:  # its place was kept: it is told what it has missed
        with ringlog.Reader(ring, name=name) as again, pytest.raises(ringlog.Overrun) as lost:
            again.read(20)
        assert lost.value.first == 0


def test_nobody_to_evict(ring: str, spawn: Spawn) -> None:
    place = eviction.Ring(ring)
    with pytest.raises(ringlog.RinglogError, match="nobody holds the write lock"):
        place.lock_holder()
    with pytest.raises(ringlog.RinglogError, match="not known"):
        place.reader("n")
    ringlog.Reader(ring, name="n").close()
    with pytest.raises(ringlog.RinglogError, match="is gone"):
        place.reader("n")
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    holder.kill()
    with pytest.raises(ringlog.RinglogError, match="is dead"):
        place.lock_holder()


def test_not_itself(ring: str) -> None:
    with ringlog.Writer(ring, lock="session"):
        place = eviction.Ring(ring)
        with pytest.raises(ringlog.RinglogError, match="itself"):
            place.evict(place.lock_holder())


# ---- the wrong process is never killed ----


def set_words(path: str, at: int, words: dict[int, int]) -> None:
    with RingFile(path) as file:
        for offset, word in words.items():
            struct.pack_into("<q", file.memory, at + offset, word)


@pytest.fixture
def stranger() -> Callable[[], subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]))
        return started[0]

    yield start
    for process in started:
        assert process.poll() is None, "a stranger was killed"
        process.kill()
        process.wait()


@pytest.mark.parametrize("role", ["writer", "reader"])
@pytest.mark.parametrize("knows", ["another start", "the start too"])
def test_a_pid_that_is_another_process_by_now(
    ring: str, stranger: Callable[[], subprocess.Popen[bytes]], role: str, knows: str
) -> None:
    """The slot names a process that does not use this ring; at worst even its start fits."""
    other = stranger()
    words = {PID: other.pid}
    seen = liveness.sighted(other.pid)
    assert seen is not None
    with ringlog.Writer(ring, lock="session"), ringlog.Reader(ring, lossless=True):
        place = eviction.Ring(ring)
        at, start = (WRITERS_AT, SINCE_BOOT) if role == "writer" else (HEADER_SIZE, READER_SINCE_BOOT)
        if knows == "the start too":
            words[start] = seen.since_boot
        set_words(ring, at, words)
        target = place.lock_holder() if role == "writer" else place.reader(str(other.pid))
        assert target.identity.pid == other.pid
        why = "not have .* mapped" if knows == "the start too" else "not the process that opened"
        with pytest.raises(ringlog.RinglogError, match=why):
            place.evict(target)


def test_who_let_go_in_the_meantime(ring: str, spawn: Spawn) -> None:
    holder = spawn(SESSION + "sys.stdin.readline()", ring)
    assert holder.line() == "ready"
    place = eviction.Ring(ring)
    target = place.lock_holder()
    holder.tell()
    assert holder.line() == "closed"
    with pytest.raises(ringlog.RinglogError, match="let go by itself"):
        place.evict(target)
    assert holder.process.poll() is None
    holder.tell()
    holder.finish()


def test_who_died_in_the_meantime(ring: str, spawn: Spawn) -> None:
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    place = eviction.Ring(ring)
    target = place.lock_holder()
    holder.kill()
    with pytest.raises(ringlog.RinglogError, match="not visible"):
        place.evict(target)
    append(ring)


@as_root
def test_another_users_process_is_refused(ring: str, spawn: Spawn) -> None:
    os.chmod(ring, 0o666)
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    attempt = spawn(
        """
        from ringlog import eviction
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
        place = eviction.Ring(path)
        try:
            place.evict(place.lock_holder())
        except PermissionError:
            say("refused")
        """,
        ring,
        NOBODY,
    )
    assert attempt.line() == "refused"
    attempt.finish()
    assert holder.process.poll() is None
    holder.tell()
    assert holder.line() == "closed"
    holder.finish()


def test_users_of_a_file(ring: str, spawn: Spawn) -> None:
    child = spawn(SESSION, ring)
    assert child.line() == "ready"
    assert users.users_of(users.place_of(ring)) == [child.pid]
    child.kill()
    assert eventually(lambda: users.users_of(users.place_of(ring)) == [])
    assert users.mapped(child.pid) == set()
