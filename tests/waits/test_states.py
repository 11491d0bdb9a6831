"""What `info` says of the living and the dead, and the evidence for it."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from oracle import RingFile
from processes import eventually
from waits_support import LOSSLESS, SESSION, Spawn, fill, go_on, stop

import ringlog
from ringlog import liveness

PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def test_the_evidence_of_a_writer(ring: str, spawn: Spawn) -> None:
    child = spawn(SESSION, ring)
    assert child.line() == "ready"
    eventually(lambda: ringlog.info(ring).writers[0].state == "idle")
    (writer,) = ringlog.info(ring).writers
    assert (writer.pid, writer.leased, writer.holds_lock) == (child.pid, True, True)
    assert writer.started == pytest.approx(psutil.Process(child.pid).create_time(), abs=2)
    assert writer.process == f"{psutil.Process(child.pid).name()}, sleeping"
    assert writer.age >= 1
    stop(child)
    (writer,) = ringlog.info(ring).writers
    assert (writer.state, writer.leased) == ("stopped", True)
    assert writer.process.endswith(", stopped")
    go_on(child)
    eventually(lambda: ringlog.info(ring).writers[0].state == "idle")
    child.process.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie: not waited for
    (writer,) = ringlog.info(ring).writers
    assert (writer.state, writer.leased, writer.holds_lock) == ("dead", False, True)
    assert "dead, and not yet waited for" in writer.process
    child.kill()
    (writer,) = ringlog.info(ring).writers
    assert (writer.state, writer.process) == ("dead", "not visible")


def test_the_evidence_of_a_reader(ring: str, spawn: Spawn) -> None:
    child = spawn(LOSSLESS, ring, "n")
    assert child.line() == "ready"
    (reader,) = ringlog.info(ring).readers
    assert (reader.state, reader.leased, reader.holds_up) == ("idle", True, False)
    assert (reader.behind, reader.fill) == (0.0, 0.0)
    before = time.time()
    with ringlog.Writer(ring, timeout=0) as writer:
        first = time.time()
        count = fill(writer)
        (reader,) = ringlog.info(ring).readers
        now = time.time()
        assert (reader.state, reader.lag) == ("active", count)
        assert now - first <= reader.behind + 0.001
        assert reader.behind <= now - before + 0.001
        assert 0.9 < reader.fill <= 1
        assert not reader.holds_up  # it was given up: the writer's timeout is 0
    with ringlog.Writer(ring, timeout=60), RingFile(ring) as file:
        position, sequence = file.pair("tail")
        file.set_pair("gate", position + 2000, sequence + 2)
        assert ringlog.info(ring).readers[0].holds_up
        file.set_pair("gate", position, sequence)
    child.kill()
    (reader,) = ringlog.info(ring).readers
    assert (reader.state, reader.leased, reader.holds_up) == ("dead", False, False)
    with ringlog.Writer(ring) as writer:
        for _ in range(100):
            writer.append(bytes(1000))
    (reader,) = ringlog.info(ring).readers
    assert reader.lag == count + 100
    assert reader.behind is None  # the event is gone, and with it its time


def test_the_age_of_an_event_that_goes_round_the_end(ring: str) -> None:
    """Its timestamp stands half at the end of the ring, half at the beginning."""
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, name="n") as reader:
        for _ in range(4):
            writer.append(bytes(16_000))
        head = ringlog.info(ring).write_offset - 24
        reader.read_many()
        writer.append(bytes(65536 - head - 16 - 4))  # the next entry begins 4 bytes before the end
        reader.read_many()
        reader.commit()
        assert (ringlog.info(ring).write_offset - 24) % 65536 == 65532
        writer.append(b"round")
        (seen,) = ringlog.info(ring).readers
        assert seen.lag == 1
        assert 0 <= seen.behind < 20


def test_stopped_by_a_debugger(ring: str, spawn: Spawn) -> None:
    child = spawn(SESSION, ring)
    assert child.line() == "ready"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, child.pid, None, None) != 0:
        pytest.skip("not allowed to debug")
    os.waitpid(child.pid, 0)
    (writer,) = ringlog.info(ring).writers
    assert writer.state == "stopped"
    assert writer.process.endswith("stopped by a debugger")
    libc.ptrace(PTRACE_DETACH, child.pid, None, None)
    eventually(lambda: liveness.sighted(child.pid).state == "S")
    child.tell()
    assert child.line() == "closed"
    child.finish()


def test_a_process_whose_name_means_harm(ring: str, spawn: Spawn) -> None:
    """`/proc/PID/stat` has the name in brackets, and the name may have brackets and blanks."""
    child = spawn(
        """
        import ctypes
        ctypes.CDLL(None).prctl(15, b") R 1 (x", 0, 0, 0)
        writer = ringlog.Writer(path)
        say("ready")
        sys.stdin.readline()
        """,
        ring,
    )
    assert child.line() == "ready"
    child.signal(signal.SIGSTOP)
    eventually(lambda: ringlog.info(ring).writers[0].state == "stopped")
    assert ringlog.info(ring).writers[0].process == ") R 1 (x, stopped"


@pytest.mark.parametrize("root", ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/freezer"])
def test_frozen_with_its_control_group(ring: str, spawn: Spawn, root: str) -> None:
    group = Path(root, f"ringlog-test-{os.getpid()}")
    names = ("freezer.state", "FROZEN", "THAWED") if root.endswith("freezer") else ("cgroup.freeze", "1", "0")
    switch, on, off = names
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no control groups there, or not ours to make")
    try:
        if not (group / switch).exists():
            pytest.skip("no control groups there that freeze")
        child = spawn(SESSION, ring)
        assert child.line() == "ready"
        (group / "cgroup.procs").write_text(str(child.pid))
        (group / switch).write_text(on)
        eventually(lambda: ringlog.info(ring).writers[0].state == "stopped")
        assert ringlog.info(ring).writers[0].process.endswith(", frozen")
        with ringlog.Writer(ring, timeout=0.1) as writer, pytest.raises(ringlog.WriterBusy, match="stopped"):
            writer.append(b"")
        (group / switch).write_text(off)
        child.tell()
        assert child.line() == "closed"
        child.finish()
    finally:
        if (group / switch).exists():
            (group / switch).write_text(off)
            for pid in (group / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            eventually(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
