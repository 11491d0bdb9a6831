"""`ringlog top` in a real terminal: what is seen there, keys, resizes, and every way to end it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import termios
from pathlib import Path

import psutil
import pytest
from cli_command import COMMAND
from processes import eventually
from top_terminal import Open, Terminal

import ringlog
from ringlog.cli.errors import ExitCode

COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38)[0-9;]*m")
pytestmark = pytest.mark.once
QUICK = ("--interval", "100ms")


def is_line_mode(terminal: Terminal) -> bool:
    """Does the terminal wait for whole lines, and show what is typed, as a shell leaves it?"""
    flags = termios.tcgetattr(terminal.child.child_fd)[3]
    return bool(flags & termios.ICANON and flags & termios.ECHO)


def make_rings(folder: Path, number: int) -> list[str]:
    names = [f"ring-{k:02d}" for k in range(number)]
    for name in names:
        ringlog.create(folder / name, 65536)
    return names


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_ring_its_writer_and_its_reader(ring_folder: Path, terminal: Open, width: int, height: int) -> None:
    path = ring_folder / "ticks"
    with (
        ringlog.Writer(path, capacity=65536) as writer,
        ringlog.Reader(path, name="billing", start="oldest") as reader,
    ):
        writer.append_many([b"x"] * 10)
        top = terminal("top", str(ring_folder), *QUICK, width=width, height=height)
        lines = top.until_seen("0 ev/s")
        assert lines[0].startswith("ringlog top  1 ring, 1 writer, 1 reader")
        assert lines[1].split()[:4] == ["WHO", "PID", "STATE", "EV/S"]
        assert ("PROCESS" in lines[1]) == (width == 120)
        assert str(path) in lines[2]
        people = [line.split() for line in lines if str(os.getpid()) in line]
        assert [line[0] for line in people] == ["W", "R"]
        assert "10" in people[1]
        assert lines[-1].startswith(" q quit  s sort: trouble")
        assert lines[-1].endswith("every 0.1 s")
        assert len(lines) == height
        reader.read_many()
        reader.commit()
        top.until(lambda lines: any("billing" in line and "idle" in line for line in lines))
        assert COLOUR.search(top.raw)
        top.press("q")
        assert top.finish() == 0
        assert top.given_back()


def test_rings_come_and_go(ring_folder: Path, terminal: Open) -> None:
    top = terminal("top", str(ring_folder), *QUICK)
    top.until_seen("no rings here")
    for name in make_rings(ring_folder, 2):
        top.until_seen(name)
    ringlog.unlink(ring_folder / "ring-00")
    top.until(lambda lines: not any("ring-00" in line for line in lines))
    top.until_seen("ring-01")


def test_a_named_path_that_is_no_ring_yet(ring_path: str, terminal: Open) -> None:
    top = terminal("top", ring_path, *QUICK)
    top.until_seen("no such ring")
    ringlog.create(ring_path, 65536)
    top.until_seen("64 KiB")


def test_keys(ring_folder: Path, terminal: Open) -> None:
    make_rings(ring_folder, 20)  # three lines each
    top = terminal("top", str(ring_folder), *QUICK)
    top.until_seen("1-21 of 60")
    for key, place in (
        ("\x1b[B", "2-22 of 60"),
        ("\x1bOB", "3-23 of 60"),
        ("j", "4-24 of 60"),
        ("\x1b[A", "3-23 of 60"),
        ("\x1b[6~", "24-44 of 60"),
        ("\x1b[5~", "3-23 of 60"),
        ("\x1b[F", "40-60 of 60"),
        ("\x1b[H", "1-21 of 60"),
        ("\x1b[6~\x1b[B\x1b[B", "24-44 of 60"),  # as a wheel sends them
    ):
        top.press(key)
        top.until_seen(place)
    top.press("g")
    top.until(lambda lines: "ring-00" in lines[2])
    top.press("r")
    top.until(lambda lines: "ring-19" in lines[2] and "trouble reversed" in lines[-1])
    for name in ("path", "events"):
        top.press("s")
        top.until_seen(f"sort: {name} reversed")
    top.press("S")
    top.until_seen("sort: path reversed")
    top.press("r")
    top.press(" ")
    top.until(lambda lines: "ring-00" in lines[2] and "space go on" in lines[-1])
    ringlog.create(ring_folder / "ring-000", 65536)
    top.press(" ")
    top.until(lambda lines: "of 63" in lines[-1])
    top.press("q")
    assert top.finish() == 0


def test_a_window_that_is_resized(ring_folder: Path, terminal: Open) -> None:
    make_rings(ring_folder, 20)
    top = terminal("top", str(ring_folder), "--interval", "1h", "--sort", "path")
    top.until_seen("1-21 of 60")
    top.resize(120, 40)
    lines = top.until_seen("1-37 of 60")
    assert "PROCESS" in lines[1]
    top.resize(60, 10)  # narrower than it is made for: the right is cut, nothing is folded
    top.until(lambda lines: "ring-00" in lines[2] and lines[9].startswith(" q quit"))
    top.resize(1, 1)
    top.resize(80, 24)
    top.until_seen("1-21 of 60")
    top.press("q")
    assert top.finish() == 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("\x03", ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, ExitCode.TERMINATED),
        (signal.SIGQUIT, ExitCode.TERMINATED),
    ],
)
def test_the_terminal_is_given_back(
    ring_folder: Path, terminal: Open, end: str | signal.Signals, code: int
) -> None:
    top = terminal("top", str(ring_folder), *QUICK)
    top.until_seen("no rings here")
    assert not is_line_mode(top)
    if isinstance(end, str):
        top.press(end)
    else:
        top.child.kill(end)
    assert top.finish() == code
    assert top.given_back()
    assert "Traceback" not in top.raw


def test_line_mode_is_given_back(ring_folder: Path, terminal: Open) -> None:
    top = terminal("top", str(ring_folder), *QUICK)
    top.until_seen("no rings here")
    top.press("q")
    eventually(lambda: top.lines() and top.given_back())  # its end, and the terminal is still there
    eventually(lambda: is_line_mode(top))
    assert top.finish() == 0


def test_suspended_and_continued(ring_folder: Path, terminal: Open) -> None:
    top = terminal("top", str(ring_folder), *QUICK)
    top.until_seen("no rings here")
    top.press("\x1a")  # Ctrl-Z
    process = psutil.Process(top.child.pid)
    eventually(lambda: process.status() == psutil.STATUS_STOPPED)
    assert top.given_back()
    assert is_line_mode(top)
    top.child.kill(signal.SIGCONT)
    eventually(lambda: not top.given_back())
    assert not is_line_mode(top)
    make_rings(ring_folder, 1)
    top.until_seen("ring-00")
    top.press("q")
    assert top.finish() == 0
    assert top.given_back()


def test_without_colours(ring_path: str, terminal: Open) -> None:
    ringlog.create(ring_path, 65536)
    top = terminal("top", ring_path, *QUICK, NO_COLOR="1")
    top.until_seen("all well")
    top.press("q")
    assert top.finish() == 0
    assert not COLOUR.search(top.raw)


def test_in_a_dumb_terminal_it_prints(ring_path: str, terminal: Open) -> None:
    ringlog.create(ring_path, 65536)
    top = terminal("top", ring_path, *QUICK, TERM="dumb")
    top.child.expect("ringlog top")
    top.child.expect("ringlog top")
    top.child.sendintr()
    assert top.finish() == ExitCode.INTERRUPTED
    assert "\x1b" not in top.raw


def test_once_in_a_terminal(ring_path: str, terminal: Open) -> None:
    ringlog.create(ring_path, 65536)
    top = terminal("top", "--once", ring_path, *QUICK)
    assert top.finish() == 0
    assert COLOUR.search(top.raw)
    assert "\x1b[?1049h" not in top.raw
    assert "64 KiB" in top.raw


def test_without_a_keyboard(ring_path: str, terminal: Open) -> None:
    ringlog.create(ring_path, 65536)
    command = f"exec {shlex.join(COMMAND)} top {shlex.quote(ring_path)} --interval 100ms </dev/null"
    top = terminal(program=["sh", "-c", command])
    top.until_seen("0 ev/s")
    assert is_line_mode(top)  # nothing was done to a keyboard that is somebody else's
    top.child.sendintr()
    assert top.finish() == ExitCode.INTERRUPTED
    assert top.given_back()
