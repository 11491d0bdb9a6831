"""``ringlog doctor``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_command import error, out, run, run_as_nobody, until
from oracle import RingFile

import ringlog
from ringlog import doctor
from ringlog.cli.app import VERBS
from ringlog.cli.errors import ExitCode

Start = Callable[..., subprocess.Popen[bytes]]

OWNER = "w = ringlog.Writer(path, lock='session'); w.append(b'held')"
READER = "r = ringlog.Reader(path, name='n', start='oldest')"


@pytest.fixture
def process(ring: str) -> Iterator[Start]:
    """Start Python code, which then waits until it is killed; with `stop` it stops itself."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str, *, stop: bool = False) -> subprocess.Popen[bytes]:
        wait = (
            "os.kill(os.getpid(), signal.SIGSTOP)" if stop else "print('ready', flush=True); time.sleep(300)"
        )
        program = f"import os, signal, sys, time, ringlog\npath = sys.argv[1]\n{code}\n{wait}"
        child = subprocess.Popen([sys.executable, "-c", program, ring], stdout=subprocess.PIPE)
        started.append(child)
        if stop:
            until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, child)
        else:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def findings(*arguments: str, code: int) -> dict[str, Any]:
    """What was found, by check."""
    said = json.loads(run("doctor", "--json", "--between", "50ms", *arguments, code=code).stdout)
    return {found["check"]: found for ring in said["rings"] for found in ring["findings"]}


def fill(ring: str) -> None:
    with ringlog.Writer(ring, timeout=0) as writer, contextlib.suppress(ringlog.RingFull):
        for _ in range(1000):
            writer.append(bytes(1000))


# ---- nothing wrong ----


def test_nothing_wrong(ring: str, process: Start) -> None:
    run("write", ring, "--capacity", "64K", data=b"one\n")
    assert out("doctor", "--between", "0", ring).decode() == f"{ring}: nothing wrong\n"
    reader = process(READER)
    process("w = ringlog.Writer(path)")
    said = out("doctor", "--between", "0", ring).decode()
    assert said.startswith(f"{ring}: nothing wrong\n")
    assert f"  reader 'n', pid {reader.pid}: reading; python" in said
    assert "holds its lease; 1 event behind; its next event is " in said
    assert ": idle; python" in said


def test_it_changes_nothing(ring: str) -> None:
    ringlog.create(ring, 65536)
    with ringlog.Reader(ring, name="n"), RingFile(ring) as file:
        before = file.memory[:]
        out("doctor", "--between", "0", ring)
        assert file.memory[:] == before


def test_a_folder_and_everything(folder: Path) -> None:
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    paths = [str(folder / "one"), str(deep / "two")]
    for path in paths:
        ringlog.create(path, 65536)
    (folder / "text").write_bytes(b"no ring\n" * 1000)
    (folder / "begun").write_bytes(bytes(64) + b"ringlog\n")
    said = json.loads(out("doctor", "--json", "--between", "0", str(folder)))
    assert [ring["path"] for ring in said["rings"]] == sorted(paths)
    assert {ring["verdict"] for ring in said["rings"]} == {"nothing wrong"}
    everywhere = json.loads(run_anyway("doctor", "--json", "--between", "0"))
    assert set(paths) <= {ring["path"] for ring in everywhere["rings"]}
    (deep / "two").unlink()
    (deep / "two").symlink_to("/dev/zero")
    os.mkfifo(deep / "pipe")
    assert out("doctor", str(deep)) == b"no rings here\n"
    (deep / "two").unlink()
    (deep / "pipe").unlink()
    deep.rmdir()
    (folder / "a").rmdir()


def run_anyway(*arguments: str) -> bytes:
    """Other rings of this machine may well have problems."""
    command = [sys.executable, "-m", "ringlog", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, cwd="/", check=False)
    assert done.returncode in (0, 1)
    return done.stdout


# ---- who holds whom up ----


def test_a_stopped_owner(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    holder = process(OWNER, stop=True)
    found = findings(ring, code=ExitCode.FAILED)
    assert set(found) == {"stopped-owner"}
    (one,) = found.values()
    assert one["severity"] == "problem"
    assert one["advice"] == (
        f"continue it: kill -CONT {holder.pid}; or end it: ringlog evict {ring} --writer"
    )
    assert one["evidence"]["pid"] == holder.pid
    assert one["evidence"]["leased"] is one["evidence"]["holds_lock"] is True
    assert abs(one["evidence"]["started"] - psutil.Process(holder.pid).create_time()) < 2
    said = run("doctor", "--between", "0", ring, code=1).stdout.decode()
    assert said.startswith(f"{ring}: 1 problem\n  writer pid {holder.pid}: stopped; python")
    holder.kill()
    holder.wait()
    assert set(findings(ring, code=0)) == {"dead-owner"}
    run("write", ring, data=b"next\n")
    assert findings(ring, code=0) == {}


def test_a_lock_that_others_wait_for(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    holder = process(OWNER)
    assert findings(ring, code=0) == {}
    with ringlog.Writer(ring, timeout=0.2) as writer, pytest.raises(ringlog.WriterBusy):
        writer.append(b"")
    found = findings(ring, code=0)
    assert set(found) == {"held-lock"}
    assert f"writer pid {holder.pid}" in found["held-lock"]["text"]


def test_writers_that_hold_nothing(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    writer = process("w = ringlog.Writer(path); w.append(b'x')", stop=True)
    assert set(findings(ring, code=0)) == {"stopped-writer"}
    writer.kill()
    writer.wait()
    assert set(findings(ring, code=0)) == {"dead-writer"}


def test_readers_stopped_dead_and_away(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    reader = process(READER, stop=True)
    fill(ring)
    found = findings(ring, code=1)["stopped-reader"]
    assert f"ringlog evict {ring} --reader n" in found["advice"]
    assert found["evidence"]["fill"] > 0.9
    reader.kill()
    reader.wait()
    assert findings(ring, code=0) == {}  # a kept name, that has missed nothing
    with ringlog.Writer(ring) as writer:
        writer.append(bytes(1000))
    found = findings(ring, code=0)
    assert set(found) == {"lapped-name"}
    assert f"has missed {ringlog.info(ring).tail_count} events" in found["lapped-name"]["text"]
    unnamed = process("r = ringlog.Reader(path, lossless=True)")
    unnamed.kill()
    unnamed.wait()
    assert set(findings(ring, code=0)) == {"lapped-name", "dead-reader"}


SLOW = """
r = ringlog.Reader(path, lossless=True, start="oldest")
print("ready", flush=True)
while True:
    r.read()
    time.sleep(0.005)
"""
WRITER = """
w = ringlog.Writer(path)
print("ready", flush=True)
while True:
    w.append(bytes(1000))
"""


def test_readers_stuck_and_slow(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    stuck = process("r = ringlog.Reader(path, lossless=True, start='oldest')")
    process(WRITER)
    until(lambda: ringlog.info(ring).readers[0].holds_up)
    found = findings(ring, code=1)
    assert set(found) == {"stuck-reader"}
    assert found["stuck-reader"]["evidence"]["finished"] == 0
    assert f"pid {stuck.pid} " in found["stuck-reader"]["text"]
    stuck.kill()
    stuck.wait()
    slow = process(SLOW)
    until(lambda: any(one.pid == slow.pid and one.fill > 0.8 for one in ringlog.info(ring).readers))
    found = findings("--between", "0.5", ring, code=0)
    assert set(found) == {"slow-reader"}
    assert found["slow-reader"]["evidence"]["finished"] > 0


ATTACHING = """
from ringlog import liveness
known = liveness.own_identity
liveness.own_identity = lambda: (os.kill(os.getpid(), signal.SIGSTOP), known())[1]
ringlog.Writer(path)
"""


def test_one_that_is_stuck_while_it_attaches(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536)
    child = process(ATTACHING, stop=True)
    found = findings(ring, code=1)
    assert set(found) == {"stuck-attaching"}
    assert found["stuck-attaching"]["evidence"] == {"pids": [child.pid]}
    assert found["stuck-attaching"]["advice"] == (
        f"continue it: kill -CONT {child.pid}, or end it: kill -9 {child.pid}"
    )


# ---- the ring itself ----


@pytest.mark.parametrize(("ahead", "code"), [(2, 0), (3700, 1)])
def test_a_clock_that_was_set_back(ring: str, ahead: int, code: int) -> None:
    with ringlog.Writer(ring, capacity=65536) as writer:
        writer.append(b"x")
    with RingFile(ring) as file:
        file["last_timestamp"] = time.time_ns() + (ahead + 5) * 10**9
    found = findings(ring, code=code)
    assert set(found) == {"clock"}
    assert ahead < found["clock"]["evidence"]["seconds_ahead"] <= ahead + 5


def test_a_semaphore_that_is_not_in_order(ring: str) -> None:
    import posix_ipc

    ringlog.create(ring, 65536)
    with RingFile(ring) as file:
        name = f"/ringlog-{file.raw('file_id').hex()}"
    semaphore = posix_ipc.Semaphore(name)
    semaphore.acquire()
    assert "lost its token" in findings(ring, code=0)["semaphore"]["text"]
    semaphore.release()
    semaphore.release()
    assert "has 2 tokens" in findings(ring, code=0)["semaphore"]["text"]
    posix_ipc.unlink_semaphore(name)
    semaphore.close()
    assert "was removed" in findings(ring, code=0)["semaphore"]["text"]
    with ringlog.Writer(ring) as writer:
        writer.append(b"x")
    assert findings(ring, code=0) == {}


def test_another_boot(ring: str) -> None:
    ringlog.create(ring, 65536)
    with RingFile(ring) as file:
        file["boot_id"] = b"another boot id!"
    assert set(findings(ring, code=0)) == {"restarted"}
    with ringlog.Writer(ring):
        assert findings(ring, code=0) == {}


def test_damaged_rings(ring: str) -> None:
    ringlog.create(ring, 65536)
    with RingFile(ring) as file:
        file["head[0].position"] = file["head[1].position"] = 0
    assert findings(ring, code=1)["damaged"]["evidence"] == {"error": "CorruptStream"}
    os.truncate(ring, 70_000)
    assert findings(ring, code=1)["damaged"]["evidence"] == {"error": "StreamTruncated"}
    with open(ring, "r+b") as file:
        file.seek(72)
        file.write(struct.pack("<I", 9))
    assert set(findings(ring, code=1)) == {"unreadable"}


def test_what_is_no_ring(ring: str, folder: Path) -> None:
    assert "no such ring" in run("doctor", ring, code=ExitCode.NO_RING).stderr.decode()
    ringlog.create(ring, 65536)
    (folder / "text").write_bytes(b"text")
    done = run("doctor", str(folder / "text"), ring, code=ExitCode.NO_RING)
    assert "not a ring" in done.stderr.decode()
    assert done.stdout.decode() == f"{ring}: nothing wrong\n"  # and the others are looked at


def test_leftovers(folder: Path) -> None:
    for name in ("sem.ringlog-" + "ab" * 16, ".ring." + "cd" * 16):
        (folder / name).write_bytes(bytes(32))
    ringlog.create(str(folder / "ring"), 65536)
    assert out("doctor", "--between", "0", str(folder)) == f"{folder}/ring: nothing wrong\n".encode()
    for name in os.listdir(folder):  # they could have been in the making
        os.utime(folder / name, (0, 0))
    left = json.loads(out("doctor", "--json", "--between", "0", str(folder)))["leftovers"]
    assert [(one["check"], len(one["evidence"]["paths"])) for one in left] == [
        ("orphan-semaphores", 1),
        ("unfinished-rings", 1),
    ]
    said = out("doctor", "--between", "0", str(folder)).decode()
    assert f"rm {folder}/sem.ringlog-{'ab' * 16}" in said
    assert (folder / (".ring." + "cd" * 16)).exists()  # nothing is removed


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_read_permission_is_enough(ring: str, process: Start) -> None:
    ringlog.create(ring, 65536, mode=0o644)
    holder = process(OWNER, stop=True)
    done = run_as_nobody("doctor", ring)
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert f"writer pid {holder.pid}: stopped" in done.stdout.decode()
    os.chmod(ring, 0o600)
    assert run_as_nobody("doctor", ring).returncode == ExitCode.REFUSED


def test_the_library_finds_the_same(ring: str) -> None:
    ringlog.create(ring, 65536)
    (seen,) = doctor.look([ring], 0.01)
    assert doctor.check(seen) == []
    assert seen.seconds >= 0.01
    (missing,) = doctor.look([ring + "-"], 0.01)
    assert isinstance(missing.error, FileNotFoundError)
    assert len(set(doctor.CHECKS)) == len(doctor.CHECKS)


def test_a_bad_option(ring: str) -> None:
    assert "doctor" in VERBS
    assert re.search("soon", error("doctor", "--between", "soon", ring, code=ExitCode.USAGE))
