"""What `ringlog doctor` says about pushes and pulls, and which of their files it takes away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_boards import PULL, PUSH, bridge
from processes import Child, eventually

import ringlog
from ringlog import doctor
from ringlog.bridge.boards import boards_of
from ringlog.bridge.figures import board_path

pytestmark = pytest.mark.once
Spawn = Callable[..., Child]


def findings(path: str) -> list[doctor.Finding]:
    (seen,) = doctor.look([path], 0)
    return [one for one in doctor.check(seen) if one.check.endswith("-bridge")]


def age(file: str) -> None:
    """Let it look two minutes old."""
    past = time.time() - 120
    os.utime(file, (past, past))


def test_one_that_was_killed(ring_path: str, spawn: Spawn) -> None:
    ringlog.create(ring_path, 65536)
    child = spawn(PUSH, ring_path, "lag_events=7", "lag_seconds=2")
    child.line()
    assert findings(ring_path) == []
    child.signal(signal.SIGSTOP)
    (found,) = eventually(lambda: findings(ring_path))
    assert (found.check, found.severity) == ("stopped-bridge", "problem")
    assert f"kill -CONT {child.pid}" in found.advice
    child.kill()
    (found,) = findings(ring_path)
    assert (found.check, found.severity) == ("killed-bridge", "note")
    assert "lag was 7 events" in found.text
    assert "start it again: ringlog bridge push" in found.advice
    assert found.evidence["events"] == 0
    (fix,) = doctor.fixes([found])
    assert board_path(ring_path, "push", "bridge") in fix.text
    assert fix.do().startswith("removed ")
    assert boards_of(ring_path) == []
    assert findings(ring_path) == []


def test_one_that_was_started_again_is_let_be(ring_path: str, spawn: Spawn) -> None:
    ringlog.create(ring_path, 65536)
    child = spawn(PUSH, ring_path)
    child.line()
    child.kill()
    (fix,) = doctor.fixes(findings(ring_path))
    spawn(PUSH, ring_path).line()
    assert fix.do() == "there is nothing left to remove"
    assert len(boards_of(ring_path)) == 1


def test_ones_that_do_not_get_on(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    for changes, check in (
        ({"state": "disconnected"}, "cut-bridge"),
        ({"state": "connecting"}, "cut-bridge"),
        ({"state": "blocked", "note": "reader 'slow' is slow"}, "blocked-bridge"),
    ):
        with bridge(ring_path, **changes) as board:
            assert findings(ring_path) == []  # it may be over in a moment
            board.figures.state_since -= 60
            board.update(now=True)
            (found,) = findings(ring_path)
            assert (found.check, found.severity) == (check, "note")
            assert board.figures.note in found.text
            assert doctor.fixes([found]) == []
    with bridge(ring_path, lag_events=5, lag_seconds=30.0):
        (found,) = findings(ring_path)
        assert (found.check, found.severity) == ("late-bridge", "note")


def test_one_in_another_container(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with bridge(ring_path) as board:
        board.figures.namespace = 1
        board.update(now=True)
        assert findings(ring_path) == []
        file = board_path(ring_path, "push", "bridge")
        text = Path(file).read_text()
        Path(file).write_text(text.replace(f'"updated": {board.figures.updated}', '"updated": 1.0'))
        (found,) = findings(ring_path)
        assert (found.check, found.severity) == ("silent-bridge", "note")
        assert doctor.fixes([found]) == []


def test_what_is_left_without_a_ring(ring_folder: Path, spawn: Spawn) -> None:
    ring, gone, log = (str(ring_folder / name) for name in ("ring", "gone", "log"))
    ringlog.create(ring, 65536)
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    children = [spawn(code, path) for path in (ring, gone, log) for code in (PUSH, PULL)]
    for child in children:
        child.line()
    unfinished = board_path(ring, "push", "bridge") + ".123"
    Path(unfinished).write_text("{")
    assert list(doctor.leftovers(str(ring_folder), [ring])) == []  # they run, and it is young
    for child in children:
        child.kill()
    left = [board_path(path, *who) for path in (gone, log) for who in (("push", "bridge"), ("pull", ""))]
    left.append(unfinished)
    for file in left:
        age(file)
    (found,) = doctor.leftovers(str(ring_folder), [ring])
    assert found.check == "left-boards"
    assert sorted(found.evidence["paths"]) == sorted(left)
    (fix,) = doctor.fixes([found])
    assert fix.do() == "removed 5 files"
    assert list(doctor.leftovers(str(ring_folder), [ring])) == []
    assert len(boards_of(ring)) == 2  # those stand with the findings of their ring
