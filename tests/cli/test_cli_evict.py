"""``ringlog evict``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cli_command import error, out, run, run_as_nobody, until

import ringlog
from ringlog.cli.errors import ExitCode

Stopped = Callable[[str], subprocess.Popen[bytes]]

OWNER = "w = ringlog.Writer(path, lock='session'); w.append(b'held')"
READER = "r = ringlog.Reader(path, name='bill ing', start='oldest')"


@pytest.fixture
def stopped(ring: str) -> Iterator[Stopped]:
    """Start Python code that then stops itself, as Ctrl-Z would."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> subprocess.Popen[bytes]:
        program = f"import os, signal, sys, ringlog; path = sys.argv[1]; {code}; os.kill(0, signal.SIGSTOP)"
        process = subprocess.Popen([sys.executable, "-c", program, ring], start_new_session=True)
        started.append(process)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_writer(ring: str, stopped: Stopped) -> None:
    ringlog.create(ring, 65536)
    holder = stopped(OWNER)
    said = out("evict", ring, "--writer", "--yes").decode()
    first, second = said.splitlines()
    assert first.startswith(f"writer pid {holder.pid}: stopped; python")
    assert "holds its lease" in first
    assert first.endswith("has the write lock")
    assert second == f"killed pid {holder.pid}: it holds nothing up any more"
    assert holder.wait() == -9
    run("write", ring, data=b"next\n")
    assert ringlog.info(ring).event_count == 2
    said = error("evict", ring, "--writer", "--yes", code=ExitCode.FAILED)
    assert said == f"ringlog: {ring}: nobody holds the write lock\n"


@pytest.mark.parametrize("by", ["name", "pid"])
def test_a_reader(ring: str, stopped: Stopped, by: str) -> None:
    run("write", ring, "--capacity", "64K", data=b"one\ntwo\n")
    reader = stopped(READER)
    who = "bill ing" if by == "name" else str(reader.pid)
    said = out("evict", ring, "--reader", who, "-y").decode()
    assert said.startswith(f"reader 'bill ing', pid {reader.pid}: stopped; python")
    assert "2 events behind; its next event is " in said
    assert reader.wait() == -9
    (left,) = ringlog.info(ring).readers
    assert (left.state, left.sequence) == ("dead", 0)
    said = error("evict", ring, "--reader", who, "-y", code=ExitCode.FAILED)
    assert "is gone, and holds nobody up" in said


def test_nothing_is_done_unasked(ring: str, stopped: Stopped) -> None:
    ringlog.create(ring, 65536)
    holder = stopped(OWNER)
    done = run("evict", ring, "--writer", code=ExitCode.USAGE)
    assert done.stdout.startswith(b"writer pid ")  # what it would do
    assert f"to kill pid {holder.pid} without being asked, add --yes" in done.stderr.decode()
    assert holder.poll() is None


@pytest.mark.parametrize("options", [(), ("--writer", "--reader", "n")])
def test_one_of_both(ring: str, options: tuple[str, ...]) -> None:
    assert "--writer and --reader" in error("evict", ring, *options, code=ExitCode.USAGE)


def test_no_ring(ring: str, folder: Path) -> None:
    assert "no such ring" in error("evict", ring, "--writer", code=ExitCode.NO_RING)
    (folder / "file").write_bytes(b"text")
    assert "not a ring" in error("evict", str(folder / "file"), "--writer", code=ExitCode.NO_RING)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_without_permission(ring: str, stopped: Stopped) -> None:
    ringlog.create(ring, 65536)
    holder = stopped(OWNER)
    assert run_as_nobody("evict", ring, "--writer", "--yes").returncode == ExitCode.REFUSED
    assert holder.poll() is None


def test_json(ring: str, stopped: Stopped) -> None:
    ringlog.create(ring, 65536)
    holder = stopped(OWNER)
    said = json.loads(out("evict", "--json", ring, "--writer", "--yes"))
    assert (said["path"], said["killed"]) == (ring, holder.pid)
    assert (said["was"]["state"], said["was"]["holds_lock"]) == ("stopped", True)
