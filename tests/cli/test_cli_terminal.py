"""What the command line does in a terminal, and only there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from cli_command import COMMAND, PATIENCE, count, environment, events, out, run, until

import ringlog
from ringlog.cli.errors import ExitCode

Terminal = Callable[..., "pexpect.spawn[str]"]

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Start ``ringlog`` with these arguments in a terminal of its own."""
    children: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, **changes: str | None) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *arguments],
            env=environment(**changes),
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(30, 120),
        )
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def finish(child: pexpect.spawn[str]) -> str:
    """What it prints to its end; its exit code is then known."""
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def test_a_bar_for_a_long_file(ring: str, folder: Path, terminal: Terminal) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 3000)
    child = terminal("write", "--rate", "2000", ring, str(file))
    child.expect("words")
    child.expect(r"\d%")
    child.expect("100%")
    shown = finish(child)
    assert child.exitstatus == 0
    assert "\x1b[?25h" in shown  # the cursor is back
    assert f"{ring}: 3,000 events, " in shown
    assert count(ring) == 3000


def test_a_counter_where_the_size_is_not_known(ring: str, folder: Path, terminal: Terminal) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 1000)
    child = terminal("write", "--rate", "2000", "--repeat", "inf", ring, str(file))
    child.expect(r"[\d,]+ events")
    child.sendintr()
    shown = finish(child)
    assert child.exitstatus == ExitCode.INTERRUPTED
    assert "%" not in shown
    assert "Traceback" not in shown
    assert "\x1b[?25h" in shown


def test_no_bar_for_a_short_file(ring: str, folder: Path, terminal: Terminal) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 10)
    child = terminal("write", ring, str(file))
    assert finish(child) == ""
    assert child.exitstatus == 0


def test_no_bar_in_a_pipe_or_a_dumb_terminal(ring: str, folder: Path, terminal: Terminal) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 2000)
    done = run("write", "--rate", "2000", ring, str(file), env=environment(FORCE_COLOR="1"))
    assert (done.stdout, done.stderr) == (b"", b"")
    child = terminal("write", "--rate", "2000", ring, str(file), TERM="dumb")
    assert finish(child) == ""


def test_interrupting_a_long_write(ring: str, folder: Path, terminal: Terminal) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 1_000_000)
    child = terminal("write", "--rate", "1000", ring, str(file))
    child.expect("events")
    child.sendintr()
    shown = finish(child)
    assert child.exitstatus == ExitCode.INTERRUPTED
    assert "Traceback" not in shown
    assert "\x1b[?25h" in shown
    assert not ringlog.info(ring).ended


def test_typing_lines(ring: str, terminal: Terminal) -> None:
    child = terminal("write", ring)
    child.sendline("hello")
    until(lambda: count(ring) == 1)
    child.sendline("world")
    until(lambda: count(ring) == 2)
    child.sendeof()
    shown = finish(child)
    assert child.exitstatus == 0
    assert "\x1b" not in shown
    assert events(ring) == [b"hello", b"world"]


def test_interrupting_a_write_that_waits_for_a_line(ring: str, terminal: Terminal) -> None:
    child = terminal("write", ring)
    child.sendline("hello")
    until(lambda: count(ring) == 1)
    child.sendintr()
    shown = finish(child)
    assert child.exitstatus == ExitCode.INTERRUPTED
    assert "Traceback" not in shown


def test_interrupting_a_tail(ring: str, terminal: Terminal) -> None:
    out("write", ring, data=b"hello\n")
    child = terminal("tail", "--from", "oldest", ring)
    child.expect("hello\r\n")
    child.sendintr()
    shown = finish(child)
    assert child.exitstatus == ExitCode.INTERRUPTED
    assert "Traceback" not in shown
    assert shown.endswith("\n")  # the prompt begins a line


def test_raw_events_stay_raw(ring: str, terminal: Terminal) -> None:
    out("write", ring, data=b"[bold]hello[/bold]\n")
    assert finish(terminal("tail", "--no-follow", ring)) == "[bold]hello[/bold]\r\n"


def test_colours_and_no_colours(ring: str, terminal: Terminal) -> None:
    out("write", ring, data=b"hello\n")
    assert COLOUR.search(finish(terminal("info", ring)))
    assert not COLOUR.search(finish(terminal("info", ring, NO_COLOR="1")))
    assert "\x1b" not in finish(terminal("info", ring, TERM="dumb"))
    assert "\x1b[1m#" in finish(terminal("tail", "--no-follow", "-o", "hex", ring))
    assert "\x1b" not in finish(terminal("tail", "--no-follow", "-o", "hex", ring, NO_COLOR="1"))


def test_the_same_facts_in_a_terminal(ring: str, terminal: Terminal) -> None:
    out("write", "--capacity", "64K", ring, data=b"one\ntwo\n")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", finish(terminal("info", ring)))
    plain = out("info", ring).decode()
    for line in plain.splitlines():
        if "ago" not in line:
            assert line.split() in [row.split() for row in shown.splitlines()]


def test_a_doctor_with_colours(ring: str, terminal: Terminal) -> None:
    out("write", "--capacity", "64K", ring, data=b"one\n")
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, name="n", start="oldest"):
        writer.append(b"x")
        plain = out("doctor", ring).decode()
        shown = finish(terminal("doctor", ring))
        assert COLOUR.search(shown)
        words = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split()
        assert [word for word in words if word.isalpha()] == [
            word for word in plain.split() if word.isalpha()
        ]
        assert not COLOUR.search(finish(terminal("doctor", ring, NO_COLOR="1")))


@pytest.mark.parametrize("answer", ["n", "y"])
def test_an_eviction_is_asked_for(ring: str, terminal: Terminal, answer: str) -> None:
    code = "import ringlog, sys, time; r = ringlog.Reader(sys.argv[1], name='n')\n"
    code += "print('on', flush=True); time.sleep(300)"
    ringlog.create(ring, 65536)
    with subprocess.Popen([sys.executable, "-c", code, ring], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"on\n"
        child = terminal("evict", ring, "--reader", "n")
        child.expect(rf"reader 'n', pid {reader.pid}: idle")
        child.expect(rf"Kill pid {reader.pid} \(SIGKILL\)\? \[y/N\]")
        child.sendline(answer)
        shown = finish(child)
        if answer == "y":
            assert child.exitstatus == 0
            assert f"killed pid {reader.pid}" in shown
            assert reader.wait(PATIENCE) == -9
        else:
            assert child.exitstatus == ExitCode.FAILED
            assert "nothing was done" in shown
            assert reader.poll() is None
            reader.kill()


def test_ctrl_c_at_the_question(ring: str, terminal: Terminal) -> None:
    with ringlog.Writer(ring, capacity=65536, lock="session"):
        child = terminal("evict", ring, "--writer")
        child.expect(r"\[y/N\]")
        child.sendintr()
        shown = finish(child)
        assert child.exitstatus == ExitCode.INTERRUPTED
        assert "Traceback" not in shown
