"""Boards: what a push or pull said last, and whether it still runs; and files that only look like boards."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planted_boards import ADDRESS, PULL, PUSH, bridge
from processes import Child, eventually

from ringlog.bridge import boards
from ringlog.bridge.boards import SeenBoard, boards_below, boards_of
from ringlog.bridge.figures import Board, Figures, board_path

pytestmark = pytest.mark.once
Spawn = Callable[..., Child]


def one(path: str) -> SeenBoard:
    (board,) = boards_of(path)
    return board


def plant(path: str, /, **changes: Any) -> Path:
    """A board of this process, written by hand."""
    figures = dataclasses.asdict(Figures("push", path, ADDRESS, "bridge", pid=os.getpid(), started=1.0))
    file = Path(board_path(path, "push", "bridge"))
    file.write_text(json.dumps(figures | changes))
    return file


def test_of_one_that_runs(ring_path: str) -> None:
    with bridge(ring_path, events=3) as board:
        seen = one(ring_path)
        assert seen.figures == board.figures
        assert (seen.life, seen.state, seen.up, seen.severity, seen.why) == ("alive", "running", True, "", "")
        assert seen.figures.pid == os.getpid()
        board.figures.events = 4
        board.update()  # too soon: at most once a second
        assert one(ring_path).figures.events == 3
        board.update(now=True)
        assert one(ring_path).figures.events == 4
    assert boards_of(ring_path) == []
    assert os.listdir(os.path.dirname(ring_path)) == []


def test_stopped_continued_and_killed(ring_path: str, spawn: Spawn) -> None:
    child = spawn(PULL, ring_path, "lag_events=12", "lag_seconds=3")
    child.line()
    assert one(ring_path).state == "running"
    child.signal(signal.SIGSTOP)
    eventually(lambda: one(ring_path).state == "suspended")
    assert f"kill -CONT {child.pid}" in one(ring_path).why
    child.signal(signal.SIGCONT)
    eventually(lambda: one(ring_path).state == "running")
    child.process.kill()  # and nobody has waited for it yet
    eventually(lambda: one(ring_path).state == "killed")
    child.kill()
    seen = one(ring_path)
    assert (seen.state, seen.up, seen.severity) == ("killed", False, "problem")
    assert seen.why.startswith("killed about ")
    assert seen.why.endswith("lag was 12 events, 3.0 s")


def test_one_that_ends_leaves_nothing(ring_path: str, spawn: Spawn) -> None:
    child = spawn(PUSH, ring_path)
    child.line()
    assert len(boards_of(ring_path)) == 1
    child.finish()
    assert boards_of(ring_path) == []


def test_a_number_that_is_another_process_by_now(ring_path: str) -> None:
    plant(ring_path, since_boot=12345)
    assert one(ring_path).life == "killed"
    plant(ring_path)  # without it, the time of its start tells: 1970
    assert one(ring_path).life == "killed"


def test_one_in_another_container(ring_path: str) -> None:
    plant(ring_path, namespace=1, pid=1 << 30, updated=time.time(), state="running")
    assert one(ring_path).state == "running"
    plant(ring_path, namespace=1, pid=1 << 30, updated=time.time() - 60, state="running")
    assert (one(ring_path).state, one(ring_path).severity) == ("silent", "problem")
    assert "can't be seen from here" in one(ring_path).why


def test_how_long_it_has_been_in_its_state(ring_path: str) -> None:
    with bridge(ring_path, state="disconnected", note="connection refused") as board:
        assert (one(ring_path).severity, one(ring_path).up) == ("note", False)
        since = board.figures.state_since
        board.update(now=True)
        assert board.figures.state_since == since
        board.figures.state_since = since - 60
        board.update(now=True)
        assert one(ring_path).severity == "problem"
        assert one(ring_path).why == "disconnected for 60 s; connection refused"
        board.figures.state = "running"
        board.figures.note = ""
        board.update(now=True)
        assert board.figures.state_since >= since
        assert one(ring_path).why == ""


def test_what_is_worth_a_word(ring_path: str) -> None:
    with bridge(ring_path, missing=1200, gaps=2):
        assert one(ring_path).severity == "note"
        assert one(ring_path).why == "1,200 events missing in 2 gaps"
    with bridge(ring_path, lag_events=1, lag_seconds=20.0):
        assert one(ring_path).severity == "note"
        assert one(ring_path).why == "lag is 1 event, 20 s"
    with bridge(ring_path, lag_events=10_000, lag_seconds=0.1):
        assert one(ring_path).severity == ""


def test_names_that_look_alike(ring_folder: Path) -> None:
    """Of the ring `a`, whose push is called `x.pull`, and of the pull of the ring `a.push-x`."""
    paths = [str(ring_folder / "a"), str(ring_folder / "a.push-x")]
    names = ["x.pull", "x/pull", "x_pull", "\u97f3 \N{MUSICAL NOTE}", ""]
    made = [Board(Figures("push", paths[0], ADDRESS, name), 0o600) for name in names]
    made.append(Board(Figures("pull", paths[1], ADDRESS), 0o600))
    for board in made[1:]:
        board.update(now=True)
    assert sorted(seen.figures.name for seen in boards_of(paths[0])) == sorted(names[1:])
    assert [seen.figures.direction for seen in boards_of(paths[1])] == ["pull"]
    assert len(boards_below(str(ring_folder.parent))) >= 5


def test_hostile_files_are_no_boards(ring_folder: Path, ring_path: str) -> None:
    file = plant(ring_path)
    whole = file.read_text()
    for text in (
        *(whole[:size] for size in range(0, len(whole), 7)),
        "[]",
        "null",
        "[" * 60_000,
        whole + " " * 70_000,
        whole.replace('"events": 0', '"events": NaN'),
        whole.replace('"events": 0', '"events": ' + "9" * 5000),
    ):
        file.write_text(text)
        assert boards_of(ring_path) == [], text[:200]
    for field, value in (
        *(("events", value) for value in (-1, 1.5, True, "1", None, 1 << 63, [])),
        *(("lag_seconds", value) for value in (-1, 1e300, True, "1", None)),
        *(("note", value) for value in (1, None, "x" * 5000, {})),
        *(("state", value) for value in ("", "dancing", 1, [])),
        ("direction", "sideways"),
        ("path", "elsewhere"),
        ("name", "other"),
        ("pid", -1),
    ):
        plant(ring_path, **{field: value})
        assert boards_of(ring_path) == [], (field, value)
    file.write_bytes(b"\xff" * 100)
    assert boards_of(ring_path) == []
    file.unlink()
    os.mkfifo(file)  # would block
    assert boards_of(ring_path) == []
    file.unlink()
    target = ring_folder / "elsewhere"
    target.write_text(whole)
    file.symlink_to(target)
    assert boards_of(ring_path) == []
    file.unlink()
    file.mkdir()
    assert boards_of(ring_path) == []


def test_boards_of_other_releases(ring_path: str) -> None:
    file = plant(ring_path, colour="green", nested={"a": [1]}, lag_seconds=2)
    assert one(ring_path).figures.lag_seconds == 2
    file.write_text(
        json.dumps({"direction": "push", "path": ring_path, "address": ADDRESS, "name": "bridge"})
    )
    assert one(ring_path).figures.events == 0


def test_what_a_terminal_is_not_given() -> None:
    assert boards.printable("a\x1b[2Jb\nc") == "a\ufffd[2Jb\ufffdc"


def test_read_while_it_is_written(ring_path: str) -> None:
    stop = threading.Event()
    with bridge(ring_path) as board:

        def write() -> None:
            while not stop.is_set():
                board.figures.events += 1
                board.update(now=True)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen = [one(ring_path).figures.events for _ in range(300)]
        finally:
            stop.set()
            writer.join()
    assert seen == sorted(seen)


def test_a_folder_that_nobody_may_write_to(tmp_path: Path) -> None:
    with bridge(str(tmp_path / "gone" / "ring")):
        assert boards_of(str(tmp_path / "gone" / "ring")) == []


def test_what_a_namesake_left_half_written(ring_path: str) -> None:
    left = Path(board_path(ring_path, "push", "bridge") + f".{os.getpid()}")
    left.write_text("{")
    with bridge(ring_path):
        assert one(ring_path).state == "running"
        assert not left.exists()
