"""What the tests of the bridge's command line share: a server, and terminals in which nothing of the user's
settings counts."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from processes import GENEROUS

from ringlog.bridge.server import Server
from ringlog.cli import main

sys.path[:0] = [str(Path(__file__).parent.parent / place) for place in ("bridge_cli", "cli", "top")]

from bridge_terminals import Inside, Terminal  # noqa: E402
from cli_command import COMMAND, environment  # noqa: E402 (found by the line above)

# The command line where "the server on this machine" is at another port, and so not the user's own.
ELSEWHERE = """
import sys
from ringlog.bridge.nats import access
from ringlog.cli import bridge_local, main
bridge_local.PORT = {port}
access.DEFAULT = "nats://127.0.0.1:{port}"
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URL", "CONTEXT", "USER", "PASSWORD", "TOKEN", "CREDS", "NKEY", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"NATS_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[Server]:
    """One that the test may kill."""
    with Server() as running:
        yield running


@pytest.fixture
def free_port() -> int:
    """Of this machine: nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def inside(capfd: pytest.CaptureFixture[str]) -> Iterator[Inside]:
    """Run `ringlog bridge` in this process, which takes a tenth of the time of one of its own: its exit code,
    what it printed and what it said."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str, **changes: str) -> tuple[int, str, str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in changes.items():
                patch.setenv(name, value)
            code = main(["bridge", *arguments])
        return code, *capfd.readouterr()

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Start `ringlog bridge` with these arguments in a terminal of its own. port: of the default server."""
    children: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, port: int | None = None, **changes: str | None) -> pexpect.spawn[str]:
        command = COMMAND if port is None else [sys.executable, "-c", ELSEWHERE.format(port=port)]
        child = pexpect.spawn(
            command[0],
            [*command[1:], "bridge", *arguments],
            env=environment(**{"LINES": None, "COLUMNS": None, **changes}),
            encoding="utf-8",
            timeout=GENEROUS,
            dimensions=(30, 120),
        )
        child.delaybeforesend = None
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)
