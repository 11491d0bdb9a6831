"""`ringlog bridge status` of boards alone, without a server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bridge_terminals import Inside, Terminal
from cli_command import COMMAND, PATIENCE, out, run
from planted_boards import PULL, PUSH, bridge
from processes import Child, eventually

import ringlog
from ringlog.cli.errors import ExitCode

pytestmark = pytest.mark.once
Spawn = Callable[..., Child]


def told(inside: Inside, path: str, code: int = 0) -> list[tuple[str, ...]]:
    """Ring, direction, state and severity of each, by JSON."""
    ended, printed, _ = inside("status", "--json", path)
    assert ended == code
    found = json.loads(printed)["bridges"]
    return [(Path(one["path"]).name, one["direction"], one["state"], one["severity"]) for one in found]


def test_none(ring_folder: Path, ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    assert out("bridge", "status", str(ring_folder)) == b"no push or pull here\n"
    done = run("bridge", "status", ring_path, code=ExitCode.FAILED)
    assert done.stdout.decode() == f"{ring_path}: no push or pull\n"


def test_of_a_folder_and_of_a_ring(ring_folder: Path, spawn: Spawn, inside: Inside) -> None:
    first, second = str(ring_folder / "first"), str(ring_folder / "second")
    spawn(PUSH, first).line()
    killed = spawn(PULL, second, "lag_events=12", "lag_seconds=3")
    killed.line()
    assert told(inside, str(ring_folder)) == [
        ("first", "push", "running", ""),
        ("second", "pull", "running", ""),
    ]
    killed.kill()
    assert told(inside, second, code=1) == [("second", "pull", "killed", "problem")]
    assert told(inside, first) == [("first", "push", "running", "")]
    text = run("bridge", "status", str(ring_folder), code=1).stdout.decode()
    assert "   push running" in text
    assert "!! pull killed" in text
    assert "12 events, 3.0 s" in text
    assert max(map(len, text.splitlines())) <= 120


def test_rates(ring_path: str, spawn: Spawn, inside: Inside) -> None:
    child = spawn(PUSH, ring_path)
    child.line()

    def rates() -> tuple[float, float]:
        child.tell("1000")
        child.line()
        (one,) = json.loads(inside("status", "--json", ring_path)[1])["bridges"]
        return one["events_per_second"], one["bytes_per_second"]

    events, size = eventually(lambda: rates() if any(rates()) else None)
    assert size == pytest.approx(100 * events)


def test_what_a_board_says_can_not_steer_a_terminal(ring_path: str) -> None:
    with bridge(ring_path, note="\x1b[2J\x07cleared", address="nats://x/\x1b]0;title\x07"):
        text = out("bridge", "status", ring_path)
    assert b"\x1b" not in text
    assert b"cleared" in text


def test_watching(ring_path: str, terminal: Terminal) -> None:
    with bridge(ring_path, events=5) as board:
        child = terminal("status", ring_path, "--watch", "0.1")
        child.expect("running")
        board.figures.state = "disconnected"
        board.update(now=True)
        child.expect("disconnected")
        child.sendintr()
        child.expect_exact("\x1b[?1049l")  # the screen is given back
        child.wait()
        assert child.exitstatus == ExitCode.INTERRUPTED


def test_watching_in_a_pipe(ring_path: str) -> None:
    command = [*COMMAND, "bridge", "status", ring_path, "--watch", "0.1", "--json"]
    with bridge(ring_path), subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdout.close()
        assert process.wait(PATIENCE) == ExitCode.CLOSED_PIPE
    assert [line["bridges"][0]["state"] for line in lines] == ["running"] * 2
