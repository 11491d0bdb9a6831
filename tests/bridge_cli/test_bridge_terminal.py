"""Two lines in two terminals, and a server between them: what a person sees, and what is there."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

import pytest
from bridge_terminals import Terminal, finish, there, until_shown
from cli_command import error, events, until

import ringlog
from ringlog.bridge.boards import boards_of
from ringlog.bridge.server import Server
from ringlog.cli.errors import ExitCode

pytestmark = pytest.mark.once
SHOWN = "\x1b[?25h"  # the cursor is back


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def test_two_lines_in_two_terminals(ring_folder: Path, server: Server, terminal: Terminal) -> None:
    ring, copy = str(ring_folder / "ticks.ring"), str(ring_folder / "ticks.copy")
    to = ("--server", server.url, "--subject", "ringlog.ticks")
    with ringlog.Writer(ring, capacity=65536) as writer:
        writer.append(b"0")
        push, pull = terminal("push", ring, "-s", server.url), terminal("pull", copy, *to)
        until_shown(push, "running")
        until_shown(pull, "running")
        until(lambda: there(copy, 1))
        writer.append_many([b"%d" % number for number in range(1, 100)])
        until(lambda: there(copy, 100))
        pull.expect(r"lag 0, ")
        pull.sendintr()
        shown = finish(pull)
        assert pull.exitstatus == ExitCode.INTERRUPTED
        assert f"ringlog: {copy}: 100 events, " in shown
        assert SHOWN in shown
        assert "Traceback" not in shown
        assert boards_of(copy) == []
        writer.append(b"100")
        pull = terminal("pull", copy, *to)  # goes on where it was
        until_shown(pull, "running")
        until(lambda: there(copy, 101))
        push.kill(signal.SIGTERM)
        shown = finish(push)
        assert push.exitstatus == ExitCode.TERMINATED
        assert f"ringlog: {ring}: 101 events, " in shown
        writer.end()
    push = terminal("push", ring, "-s", server.url)
    finish(push)
    assert "1 event, " in finish(pull)
    assert (push.exitstatus, pull.exitstatus) == (0, 0)
    assert events(copy) == [b"%d" % number for number in range(101)]
    assert ringlog.info(copy).stream_id == ringlog.info(ring).stream_id


def test_the_default_server(ring_folder: Path, tmp_path: Path, free_port: int, terminal: Terminal) -> None:
    ring, copy = str(ring_folder / "ticks"), str(ring_folder / "other" / "ticks")
    (ring_folder / "other").mkdir()
    pull = terminal("pull", copy, port=free_port)
    pull.expect(f"no server at 127.0.0.1:{free_port} yet")
    with ringlog.Writer(ring, capacity=65536) as writer:
        writer.append_many([b"one", b"two"])
        push = terminal("push", ring, port=free_port)
        push.expect(f"no server was named: one runs at nats://127.0.0.1:{free_port} while this does")
        until_shown(push, "running")
        until(lambda: there(copy, 2))
        assert (tmp_path / "state/ringlog/nats").is_dir()
        writer.end()
    finish(push)
    finish(pull)
    assert (push.exitstatus, pull.exitstatus) == (0, 0)
    assert events(copy) == [b"one", b"two"]
    assert not listens(free_port)
    ringlog.unlink(copy)


def test_the_default_server_goes_with_a_push_that_is_killed(
    ring_path: str, free_port: int, terminal: Terminal
) -> None:
    ringlog.create(ring_path, 65536)
    push = terminal("push", ring_path, port=free_port)
    until_shown(push, "running")
    assert listens(free_port)
    push.kill(signal.SIGKILL)
    finish(push)
    until(lambda: not listens(free_port))
    (board,) = boards_of(ring_path)
    assert board.state == "killed"


def test_a_server_that_goes_and_comes(ring_path: str, own_server: Server, terminal: Terminal) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"one")
        push = terminal("push", ring_path, "-s", own_server.url)
        until_shown(push, "running")
        own_server.kill()
        push.expect("ringlog: disconnected from ")
        writer.append(b"two")
        until_shown(push, "disconnected")
        push.expect("lag 1,")
        own_server.start()
        push.expect("ringlog: connected again")
        until_shown(push, "running", "lag 0,", "1 reconnect")
        push.sendintr()
        shown = finish(push)
    assert ": 2 events, " in shown
    assert shown.rstrip().endswith("1 reconnect")
    assert push.exitstatus == ExitCode.INTERRUPTED


def test_a_slow_reader_of_the_copy(ring_folder: Path, server: Server, terminal: Terminal) -> None:
    ring, copy = str(ring_folder / "fast"), str(ring_folder / "copy")
    with ringlog.Writer(ring, capacity=1 << 20) as writer:
        writer.append(b"x" * 1000)
        pull = terminal("pull", copy, "--subject", "ringlog.fast", "-s", server.url, "--capacity", "64K")
        until_shown(terminal("push", ring, "-s", server.url), "running")
        until(lambda: there(copy, 1))
        with ringlog.Reader(copy, name="slow", start="oldest") as reader:
            writer.append_many([b"x" * 1000] * 200)
            until_shown(pull, "blocked", "'slow'")
            read = 0
            while read < 201:
                read += len(reader.read_many(timeout=20))
                reader.commit()
        until_shown(pull, "running", "lag 0,")


def test_a_server_that_was_named_and_is_not_there(ring_path: str, free_port: int) -> None:
    ringlog.create(ring_path, 65536)
    for verb in ("push", "pull"):
        said = error("bridge", verb, ring_path, "-s", f"nats://127.0.0.1:{free_port}", code=ExitCode.FAILED)
        assert said.startswith(f"ringlog: nats://127.0.0.1:{free_port}: connection refused")
        assert said.count("\n") == 1
