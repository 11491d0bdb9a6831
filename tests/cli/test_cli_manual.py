"""What every verb has: help with examples and exit codes, --json that parses, a line in the page of codes."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from cli_command import environment, out, run, until

import ringlog
from ringlog.cli.app import VERBS, app
from ringlog.cli.bridge import VERBS as BRIDGE_VERBS
from ringlog.cli.errors import MEANINGS, ExitCode
from ringlog.cli.manual import ALWAYS

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs/exit-codes.md"
# What they print is for people; what one serves has a form of its own.
TEXT_ONLY = {"help", "exporter", "bridge", "bridge server"}
EVERY = (*VERBS, *(f"bridge {name}" for name in BRIDGE_VERBS))


def verb(name: str) -> click.Command:
    found: click.Command = app
    for word in name.split():
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert isinstance(inner, click.Command)
        found = inner
    return found


def page(name: str) -> str:
    command = verb(name)
    return command.get_help(click.Context(command, info_name=name, terminal_width=80, max_content_width=80))


def examples(text: str) -> list[str]:
    """The commands of the examples, without their remarks."""
    section = text.partition("Examples:\n")[2].partition("\n\n")[0]
    lines = [line.strip() for line in section.splitlines()]
    return [re.sub(r"\s+# .*", "", line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", EVERY)
def test_help_has_examples_that_are_right(name: str) -> None:
    text = page(name)
    assert max(map(len, text.splitlines())) <= 80
    found = examples(text)
    assert found
    assert any(f"ringlog {name}" in one for one in found)
    for one in found:
        for part in re.split(r"[|>]|\$\(|\)", one):
            words = shlex.split(part.strip(' "'))
            if words[:1] == ["ringlog"]:
                check(words[1], words[2:])


def check(name: str, words: list[str]) -> None:
    """Would this be taken? Nothing is run."""
    command = verb(name)
    if isinstance(command, click.Group):
        check(f"{name} {words[0]}", words[1:])
        return
    command.make_context(name, list(words), parent=click.Context(app, info_name="ringlog"))


@pytest.mark.parametrize("name", EVERY)
def test_help_has_exit_codes(name: str) -> None:
    codes = {int(code) for code in re.findall(r"(?m)^ +(\d+)  \S", page(name).partition("Exit codes:")[2])}
    assert codes <= set(ExitCode)
    assert {ExitCode.DONE, *ALWAYS} <= codes


def test_the_help_of_everything_points_to_them() -> None:
    text = out("--help").decode()
    for code, meaning in MEANINGS.items():
        assert f"{code:3d}  {meaning}" in text


@pytest.mark.skipif(not PAGE.exists(), reason="the tests are not beside the documentation")
def test_the_page_of_exit_codes() -> None:
    text = PAGE.read_text()
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in text
    for name in EVERY:
        codes = re.findall(r"(?m)^ +(\d+)  \S", page(name).partition("Exit codes:")[2])
        own = [code for code in codes if int(code) not in ALWAYS]
        assert f"| `{name}` | {', '.join(own)} |" in text


def test_help_by_its_other_name() -> None:
    assert out("help", "tail") == out("tail", "--help")
    assert out("help", "bridge", "push") == out("bridge", "push", "--help")
    assert out("help", "bridge") == out("bridge", "--help")
    assert out("help") == out("--help")
    for words in (["frobnicate"], ["bridge", "frobnicate"], ["tail", "frobnicate"]):
        assert "frobnicate" in run("help", *words, code=ExitCode.USAGE).stderr.decode()


# ---- --json ----


def test_every_verb_knows_json() -> None:
    without = [name for name in EVERY if not any("--json" in one.opts for one in verb(name).params)]
    assert set(without) <= TEXT_ONLY


Places = tuple[str, str, Path]


def _prepared(folder: Path) -> Places:
    """A ring with three events, a log of it, and a folder."""
    ring, log = str(folder / "ring"), str(folder / "log")
    with ringlog.Writer(ring, capacity=65536) as writer:
        writer.append_many([b"one", b"two", b"three"])
    ringlog.record(ring, log, stop=lambda: True)
    return ring, log, folder


SAYS: dict[str, tuple[Callable[[Places], list[str]], dict[str, Any]]] = {
    "create": (lambda at: [f"{at[0]}2"], {"done": "created", "capacity": 16 << 20}),
    "info": (lambda at: [at[0]], {"event_count": 3}),
    "doctor": (lambda at: ["--between", "0", at[0]], {"problems": 0, "machine": None, "fixes": []}),
    "write": (lambda at: [at[0], str(at[2] / "lines")], {"events": 2, "bytes": 9}),
    "forget": (lambda at: [at[0], "recorder"], {"forgotten": ["recorder"]}),
    "record": (
        lambda at: [at[0], str(at[2] / "log2"), "--no-follow", "--name", "b"],
        {"events": 3, "stopped": False},
    ),
    "replay": (lambda at: [at[1], at[0], "--speed", "max"], {"events": 3, "missing": 0}),
    "seek": (lambda at: [at[1], "2"], {"sequence": 2, "size": 5}),
    "export": (lambda at: [at[1], str(at[2] / "a.jsonl")], {"events": 3, "format": "jsonl"}),
    "import": (lambda at: [str(at[2] / "b.jsonl"), str(at[2] / "log3")], {"events": 1, "format": "jsonl"}),
    "verify": (lambda at: [at[0]], {"ok": True, "events": 3}),
    "repair": (lambda at: [at[1]], {"done": False, "steps": []}),
    "rm": (lambda at: [at[0]], {"failures": []}),
    "completion": (lambda at: ["zsh"], {"shell": "zsh"}),
}
LINES = {"tail": lambda at: ["--no-follow", at[0]], "cat": lambda at: [at[1]]}
ELSEWHERE = {"bench", "evict", "top", "bridge push", "bridge pull", "bridge status"}  # in files of their own


@pytest.mark.parametrize("name", SAYS)
def test_json(name: str, folder: Path) -> None:
    places = _prepared(folder)
    (folder / "lines").write_bytes(b"one\nfour\n")
    (folder / "b.jsonl").write_bytes(b'{"data":"x"}\n')
    arguments, expected = SAYS[name]
    said = json.loads(out(name, "--json", *arguments(places)))
    assert {key: said[key] for key in expected} == expected


@pytest.mark.parametrize("name", LINES)
def test_json_lines(name: str, folder: Path) -> None:
    lines = out(name, "--json", *LINES[name](_prepared(folder))).splitlines()
    assert [json.loads(line)["data"] for line in lines] == ["one", "two", "three"]


def test_each_is_tested() -> None:
    assert set(SAYS) | set(LINES) | ELSEWHERE | TEXT_ONLY >= set(EVERY)


def test_rm_tells_what_it_did(folder: Path) -> None:
    ring, _, _ = _prepared(folder)
    said = json.loads(run("rm", "--json", ring, ring, code=ExitCode.NO_RING).stdout)
    assert said["removed"] == [ring]
    assert [(one["path"], one["code"]) for one in said["failures"]] == [(ring, ExitCode.NO_RING)]
    assert json.loads(out("rm", "--json", "--force", ring)) == {"removed": [], "failures": []}


def test_export_to_standard_output_has_no_room_for_a_sum(folder: Path) -> None:
    _, log, _ = _prepared(folder)
    run("export", "--json", "--format", "csv", log, "-", code=ExitCode.USAGE)


def test_what_is_interrupted_sums_up_too(folder: Path, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    ring, log, _ = _prepared(folder)
    new = f"{log}-new"
    process = start("record", "--json", "--lossy", ring, new, stdout=subprocess.PIPE)
    until(lambda: list(Path(new).glob("*.events")), process)
    with ringlog.Writer(ring) as writer, ringlog.LogReader(new, follow=True) as reader:
        writer.append(b"four")
        until(lambda: reader.read_many(10), process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert json.loads(said)["stopped"] is True
    assert json.loads(said)["events"] >= 1


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("help",), ("tail", "--help")])
def test_a_full_output_is_told(words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ringlog", *words], stdout=full, stderr=subprocess.PIPE, env=environment()
        )
    assert done.returncode == ExitCode.REFUSED
    assert done.stderr.decode().strip() == "ringlog: standard output: No space left on device"
