"""`ringlog top` in a pipe: once, again and again, as JSON, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_command import COMMAND, PATIENCE, error, out, run, run_as_nobody
from oracle import RingFile

import ringlog
from ringlog.cli.errors import ExitCode

ONCE = ("top", "--once", "--interval", "100ms")


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed after the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_the_picture_in_a_pipe(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"x")
        text = out(*ONCE, ring_path).decode()
    assert "\x1b" not in text
    assert text.startswith("ringlog top  1 ring, 1 writer, 0 readers  all well\n")
    assert f" {os.getpid()} " in text
    narrow = out(*ONCE, ring_path, env={**os.environ, "COLUMNS": "80"}).decode()
    assert max(map(len, narrow.splitlines())) == 80


def test_json_of_a_ring(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536) as writer,
        ringlog.Reader(ring_path, name="n", start="oldest"),
    ):
        writer.append_many([b"1234"] * 5)
        data = json.loads(out(*ONCE, "--json", ring_path))
    assert data.keys() == {"time", "seconds", "rings", "denied"}
    assert data["seconds"] >= 0.1
    (ring,) = data["rings"]
    assert (ring["path"], ring["capacity"], ring["events"], ring["bytes"]) == (ring_path, 65536, 5, 100)
    assert (ring["events_per_second"], ring["holds"], ring["kept"]) == (0, None, 100 / 65536)
    (writer_data,), (reader,) = ring["writers"], ring["readers"]
    assert (writer_data["pid"], reader["pid"]) == (os.getpid(), os.getpid())
    assert (reader["name"], reader["lag"], reader["lost"], reader["lossless"]) == ("n", 5, 0, True)
    assert reader["behind"] > 0
    assert reader["process"]["cpu"] is not None
    assert 0 < reader["process"]["memory"] <= reader["process"]["resident"]


def test_lines_of_json(ring_path: str, running: list[subprocess.Popen[str]]) -> None:
    ringlog.create(ring_path, 65536)
    command = [*COMMAND, "top", "--json", "--interval", "100ms", ring_path]
    running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert running[0].stdout is not None
    assert running[0].stderr is not None
    times = [json.loads(running[0].stdout.readline())["time"] for _ in range(3)]
    assert times == sorted(set(times))
    running[0].stdout.close()  # nobody reads any more
    assert running[0].wait(PATIENCE) == ExitCode.CLOSED_PIPE
    assert running[0].stderr.read() == ""


def test_pictures_in_a_pipe_until_it_is_ended(ring_path: str, running: list[subprocess.Popen[str]]) -> None:
    ringlog.create(ring_path, 65536)
    command = [*COMMAND, "top", "--interval", "100ms", ring_path]
    running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    assert running[0].stdout is not None
    heads = 0
    while heads < 2:
        heads += running[0].stdout.readline().startswith("ringlog top")
    running[0].send_signal(signal.SIGINT)
    assert running[0].wait(PATIENCE) == ExitCode.INTERRUPTED


def test_it_changes_nothing(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536, lock="session") as writer,
        ringlog.Reader(ring_path, name="n"),
    ):
        writer.append(b"x")
        os.chmod(ring_path, 0o444)
        before = Path(ring_path).read_bytes()
        out(*ONCE, ring_path)
        assert Path(ring_path).read_bytes() == before
        assert oct(os.stat(ring_path).st_mode)[-3:] == "444"


def test_what_can_not_be_read_is_said(ring_folder: Path) -> None:
    ring, closed = ring_folder / "ring", ring_folder / "closed"
    ringlog.create(ring, 65536, mode=0o644)
    ringlog.create(ring_folder / "private", 65536)
    closed.mkdir(0o700)
    try:
        done = run_as_nobody(*ONCE, str(ring_folder))
        assert (done.returncode, done.stderr) == (0, b"")
        text = " ".join(done.stdout.decode().split())
        assert f" {ring_folder}/ring " in text
        assert f"! 2 not looked into, permission denied: {closed} and others" in text
        data = json.loads(run_as_nobody(*ONCE, "--json", str(ring_folder)).stdout)
        assert data["denied"] == [str(closed), str(ring_folder / "private")]
        named = run_as_nobody(*ONCE, str(ring_folder / "private"))
        assert named.returncode == ExitCode.REFUSED
        assert b"permission denied (owner root, mode 0600; reading needs r" in named.stdout
    finally:
        closed.rmdir()


def test_processes_of_others_are_named_all_the_same(ring_path: str) -> None:
    ringlog.create(ring_path, 65536, mode=0o644)
    with ringlog.Writer(ring_path):
        done = run_as_nobody(*ONCE, "--json", ring_path)
    (ring,) = json.loads(done.stdout)["rings"]
    assert ring["writers"][0]["process"]["name"]


def test_a_path_that_is_no_ring(ring_folder: Path) -> None:
    missing, text = ring_folder / "missing", ring_folder / "text"
    text.write_text("no ring")
    try:
        done = run(*ONCE, str(missing), str(text), code=ExitCode.NO_RING)
        assert done.stderr.decode().count("ringlog: ") == 2
        assert "no such ring" in done.stdout.decode()
        data = json.loads(run(*ONCE, "--json", str(text), code=ExitCode.NO_RING).stdout)
        assert data["rings"] == [
            {
                "path": str(text),
                "severity": "problem",
                "error": data["rings"][0]["error"],
                "error_type": "NotARing",
            }
        ]
    finally:
        text.unlink()


def test_a_damaged_ring_among_others(ring_folder: Path) -> None:
    good, bad = str(ring_folder / "good"), str(ring_folder / "bad")
    for path in (good, bad):
        ringlog.create(path, 65536)
    with RingFile(bad) as file:
        file["write_offset"] = 12345
    done = run(*ONCE, str(ring_folder), code=ExitCode.BAD_DATA)
    assert "damaged: head and tail" in done.stdout.decode()
    assert good in done.stdout.decode()


def test_usage() -> None:
    assert "at least 0.1 s" in error("top", "--interval", "0", code=ExitCode.USAGE)
    assert "'size' is not one of" in error("top", "--sort", "size", code=ExitCode.USAGE)
