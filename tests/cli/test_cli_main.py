"""The command itself: help, usage errors, and the installation without the extra."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from typing import Any

import pytest
from cli_command import COMMAND, environment, error, out, run

import ringlog
import ringlog.cli
from ringlog.cli.app import VERBS
from ringlog.cli.errors import MEANINGS, ExitCode


def test_help_names_every_verb_and_every_exit_code() -> None:
    text = out("--help").decode()
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert set(MEANINGS) == set(ExitCode)
    for code, meaning in MEANINGS.items():
        assert f"{code:d}  {meaning}" in text


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str) -> None:
    assert out(verb, "--help").startswith(b"Usage: ringlog " + verb.encode())


def test_version() -> None:
    said = out("--version").decode()
    assert said.startswith(f"ringlog {ringlog.__version__} (file format 1; core for CPython ")
    assert said.endswith(f"checksum by {ringlog._core.checksum_implementations()[0]})\n")


def test_as_a_module() -> None:
    printed = subprocess.run([sys.executable, "-m", "ringlog", "--version"], capture_output=True, cwd="/")
    assert printed.stdout == out("--version")


def test_shell_completion() -> None:
    complete = {"_RINGLOG_COMPLETE": "bash_complete", "COMP_WORDS": "ringlog cr", "COMP_CWORD": "1"}
    assert out(env=environment(**complete)).split() == [b"plain,create"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("--frobnicate",),
        ("tail",),
        ("tail", ""),
        ("tail", "--frobnicate", "x"),
        ("tail", "--count", "0", "x"),
        ("tail", "--count", "many", "x"),
        ("tail", "--from", "here", "x"),
        ("tail", "--print0", "--no-newline", "x"),
        ("tail", "--format", "json", "--print0", "x"),
        ("create", "--capacity", "much", "x"),
        ("create", "--mode", "rw", "x"),
        ("write", "--repeat", "2", "x"),
        ("write", "--follow", "x"),
        ("write", "--follow", "--repeat", "2", "x", "y"),
        ("write", "--rate", "0", "x", "y"),
        ("rm",),
    ],
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    first, second = error(*arguments, code=ExitCode.USAGE).splitlines()
    assert first.startswith("ringlog: ")
    assert second.startswith("ringlog: see: ringlog")
    assert second.endswith(" --help")


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec

    def find_nothing_extra(name: str, *rest: Any) -> Any:
        return None if name in ("click", "rich") else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing_extra)
    assert ringlog.cli.main(["info", "x"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "pip install 'ringlog[cli]'" in said.err


def test_the_entry_point_needs_nothing_of_the_extra() -> None:
    check = "import ringlog.cli, sys; sys.exit('click' in sys.modules or 'rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd="/")


def test_rich_is_not_imported_away_from_a_terminal(ring: str) -> None:
    script = (
        "import sys, ringlog.cli\n"
        "for arguments in (['write', '-v', sys.argv[1]], ['tail', '--no-follow', sys.argv[1]],"
        " ['info', sys.argv[1]]):\n"
        "    assert ringlog.cli.main(arguments) == 0\n"
        "sys.exit(any(name.split('.')[0] == 'rich' for name in sys.modules))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, ring], input=b"line\n", capture_output=True, check=True, cwd="/"
    )


def test_help_in_a_closed_pipe() -> None:
    command = f"{shlex.join(COMMAND)} --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stderr == b""


def test_an_unknown_verb_is_named() -> None:
    assert "frobnicate" in run("frobnicate", code=2).stderr.decode()
