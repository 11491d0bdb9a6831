"""`ringlog bridge` in pipes: options, credentials, sums, exit codes, and what it says without its extra."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_terminals import Inside, Terminal, finish, there
from cli_command import COMMAND, PATIENCE, error, events, out, run, until

import ringlog
from ringlog.bridge.server import Server
from ringlog.bridge.subject import default_subject
from ringlog.cli.errors import ExitCode

pytestmark = pytest.mark.once
USERS = 'authorization { users = [ { user: "alice", password: "wonder land" } ] }'


@pytest.fixture
def ring(ring_folder: Path) -> str:
    """With three events."""
    path = str(ring_folder / "ticks.ring")
    with ringlog.Writer(path, capacity=65536) as writer:
        writer.append_many([b"one", b"two", b"three"])
    return path


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks who one is."""
    with Server(config=USERS) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/dev/shm/ticks", "ringlog.ticks"),
        ("ticks.ring", "ringlog.ticks"),
        ("a/ticks.eu.ring", "ringlog.ticks_eu"),
        ("a b*c>d", "ringlog.a_b_c_d"),
        (".ring", "ringlog._ring"),
        ("/var/log/ticks.log/", "ringlog.ticks"),
        ("m\u00fcnchen-1_\udcff", "ringlog.m\u00fcnchen-1__"),
    ],
)
def test_default_subjects(path: str, subject: str) -> None:
    assert default_subject(path) == subject


def test_there_and_back(ring: str, ring_folder: Path, server: Server) -> None:
    copy = str(ring_folder / "copy")
    said = json.loads(out("bridge", "push", "--json", "--no-follow", "-s", server.url, ring))
    assert said["address"] == f"{server.url}/ringlog.ticks"
    assert {name: said[name] for name in ("events", "lag_events", "missing", "stopped")} == {
        "events": 3, "lag_events": 0, "missing": 0, "stopped": False,
    }  # fmt: skip
    done = run("bridge", "push", "-v", "--no-follow", "-s", server.url, ring)
    assert done.stderr.decode().startswith(f"ringlog: {ring}: 0 events, ")  # all of it is there
    process = subprocess.Popen(
        [
            *COMMAND,
            "bridge",
            "pull",
            "--json",
            "--mode",
            "0640",
            "-s",
            server.url,
            "--subject",
            "ringlog.ticks",
            copy,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: there(copy, 3), process)
    process.send_signal(signal.SIGTERM)
    printed, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (ExitCode.TERMINATED, b"")
    said = json.loads(printed)
    assert (said["direction"], said["state"], said["events"], said["stopped"]) == ("pull", "stopped", 3, True)
    assert events(copy) == [b"one", b"two", b"three"]
    assert os.stat(copy).st_mode & 0o777 == 0o640


def test_status_of_the_server(ring: str, ring_folder: Path, own_server: Server) -> None:
    url, copy = own_server.url, str(ring_folder / "copy")
    asked = ("bridge", "status", "--json", "-s", url, "--subject", "ringlog.ticks", str(ring_folder))
    (seen,) = json.loads(out(*asked))["server"]
    assert seen == {"address": f"{url}/ringlog.ticks", "stream": None}
    out("bridge", "push", "--no-follow", "-s", url, ring)
    process = subprocess.Popen(
        [*COMMAND, "bridge", "pull", "-s", url, "--subject", "ringlog.ticks", copy], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: there(copy, 3), process)
        os.kill(process.pid, signal.SIGSTOP)
        with ringlog.Writer(ring) as writer:
            writer.append_many([b"four", b"five"])
        out("bridge", "push", "--no-follow", "-s", url, ring)
        said = json.loads(run(*asked, code=ExitCode.FAILED).stdout)
        (seen,) = said["server"]
        (consumer,) = seen["consumers"]
        assert (seen["oldest"]["sequence"], seen["newest"]["next"], seen["messages"]) == (0, 5, 2)
        assert (consumer["lag_events"], consumer["lag_messages"]) == (2, 1)
        assert consumer["lag_seconds"] > 0
        (bridge,) = said["bridges"]
        assert (bridge["state"], bridge["severity"]) == ("suspended", "problem")
        text = run("bridge", "status", "-s", url, "--subject", "ringlog.ticks", copy, code=1).stdout.decode()
        assert "!! pull suspended" in text
        assert "2 events" in text
        assert "stream ringlog_ticks: 2 messages" in text
        os.kill(process.pid, signal.SIGCONT)
        until(lambda: there(copy, 5), process)
        until(lambda: "has everything" in out(*asked[:2], *asked[3:]).decode())
    finally:
        process.kill()
        process.wait()


def test_who_one_is(ring: str, guarded: Server, tmp_path: Path, inside: Inside) -> None:
    push = ("push", "--no-follow", "-s", guarded.url, ring)
    secret = "wonder land"
    for changes in ({}, {"NATS_USER": "alice", "NATS_PASSWORD": "looking glass"}, {"NATS_TOKEN": "x"}):
        code, _, said = inside(*push, **changes)
        assert code == ExitCode.REFUSED
        assert "refuses these credentials" in said
        assert "looking glass" not in said
    assert inside(*push, NATS_USER="alice", NATS_PASSWORD=secret) == (0, "", "")
    assert inside(*push, "--user", "alice", NATS_PASSWORD=secret, NATS_USER="bob") == (0, "", "")
    assert inside(*push, "--password", NATS_USER="alice", NATS_PASSWORD=secret) == (0, "", "")
    folder = tmp_path / "config/nats/context"
    folder.mkdir(parents=True)
    (folder / "hub.json").write_text(json.dumps({"url": guarded.url, "user": "alice", "password": secret}))
    assert inside(*push[:2], "--context", "hub", ring) == (0, "", "")
    assert inside(*push[:2], ring, NATS_CONTEXT="hub") == (0, "", "")
    code, _, said = inside(*push[:2], "--context", "hut", ring)
    assert code == ExitCode.FAILED
    assert "'hut'" in said


def test_a_password_is_asked_for_and_not_shown(ring: str, guarded: Server, terminal: Terminal) -> None:
    child = terminal(
        "push", "--no-follow", "--subject", "asked", "-s", guarded.url, "--user", "alice", "--password", ring
    )
    child.expect("Password: ")
    child.sendline("wonder land")
    shown = finish(child)
    assert child.exitstatus == 0, shown
    assert "wonder" not in shown


def test_no_terminal_to_ask_at(ring: str) -> None:
    said = error(
        *("bridge", "push", "--user", "alice", "--password", ring),
        code=ExitCode.USAGE,
        start_new_session=True,
    )
    assert "set NATS_PASSWORD" in said


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["push", "{ring}", "--start", "noon"], ExitCode.USAGE, "oldest, latest or a sequence"),
        (["push", "{ring}", "--subject", "a.*"], ExitCode.USAGE, "no subject"),
        (["push", "{ring}", "-s", "http://x"], ExitCode.USAGE, "no URL"),
        (["push", "{ring}", "--creds", "/nowhere"], ExitCode.FAILED, "/nowhere"),
        (["push", "{ring}", "--creds", "a", "--user", "b"], ExitCode.USAGE, "exclude each other"),
        (["push", "{ring}", "--retention", "never"], ExitCode.USAGE, "never"),
        (["push", "{ring}-", "-s", "nats://127.0.0.1:1"], ExitCode.NO_RING, "no such ring or log"),
        (["pull", "{ring}", "-s", "nats://127.0.0.1:1"], ExitCode.FAILED, "connection refused"),
        (["pull", "{ring}", "--capacity", "much"], ExitCode.USAGE, "size"),
        (["status", "{ring}-"], ExitCode.NO_RING, "no such ring or log"),
        (["status", "{ring}", "--watch", "0"], ExitCode.USAGE, "--watch"),
        (["status", "{ring}", "-s", "nats://127.0.0.1:1"], ExitCode.FAILED, "connection refused"),
        ([], ExitCode.USAGE, "Missing command"),
        (["pour"], ExitCode.USAGE, "pour"),
        (["server", "--store", "/dev/null/x"], ExitCode.FAILED, "/dev/null/x"),
    ],
)
def test_what_can_not_be(words: list[str], code: ExitCode, text: str, ring: str, inside: Inside) -> None:
    ended, printed, said = inside(*(word.format(ring=ring) for word in words))
    assert (ended, printed) == (code, "")
    assert text in said
    assert said.startswith("ringlog: ")


def test_no_server_is_started_for_what_is_not_there(
    ring: str, inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("NATS_URL", raising=False)
    code, _, said = inside("push", f"{ring}-")
    assert code == ExitCode.NO_RING
    assert "no such ring or log" in said
    assert not list(tmp_path.glob("ringlog/*"))


def test_another_stream_is_not_mixed_in(ring: str, server: Server, inside: Inside) -> None:
    push = ("push", "--no-follow", "-s", server.url, "--subject", "mixed", ring)
    assert inside(*push) == (0, "", "")
    ringlog.unlink(ring)
    with ringlog.Writer(ring, capacity=65536) as writer:
        writer.append(b"new")
    code, _, said = inside(*push)
    assert code == ExitCode.FAILED
    assert "has the stream" in said
    code, printed, _ = inside("status", "--json", ring)
    assert code == ExitCode.FAILED
    found = json.loads(printed)["bridges"]
    assert [(one["state"], "has the stream" in one["why"]) for one in found] == [("failed", True)]
    assert inside(*push, "--new-stream", "replace") == (0, "", "")
    assert inside("status", ring)[1] == f"{ring}: no push or pull\n"


def test_without_the_extra(ring: str) -> None:
    for missing, words in (("nats", ["push", ring]), ("nkeys", ["pull", ring]), ("nats", ["status", ring])):
        code = f"import sys; sys.modules[{missing!r}] = None; import ringlog.cli as c; sys.exit(c.main())"
        done = subprocess.run(
            [sys.executable, "-c", code, "bridge", *words, "-s", "nats://127.0.0.1:1"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == ExitCode.FAILED, done.stderr
        assert "pip install 'ringlog[cli,nats]'" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_server_in_the_foreground(ring: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "bridge", "server", "--port", "0", "--store", str(tmp_path / "store")],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("ringlog: nats://127.0.0.1:")
        assert said.endswith(f"with its data in {tmp_path / 'store'}\n")
        out("bridge", "push", "--no-follow", "-s", said.split()[1].rstrip(","), ring)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == ExitCode.INTERRUPTED
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
