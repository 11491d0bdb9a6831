"""``ringlog completion``: the script works in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_command import COMMAND, environment, error, out

from ringlog.cli.errors import ExitCode

pytestmark = pytest.mark.once


@pytest.mark.skipif(
    shutil.which("bash") is None or len(COMMAND) > 1, reason="needs bash, and ringlog installed"
)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ringlog", "cre"], ["create"]),
        (["ringlog", "tail", "--print"], ["--print0"]),
        (["ringlog", "completion", "f"], ["fish"]),
    ],
)
def test_in_bash(words: list[str], expected: list[str], tmp_path: Path) -> None:
    script = tmp_path / "ringlog.bash"
    script.write_bytes(out("completion", "bash"))
    program = (
        f"source {script}; complete -p ringlog >/dev/null || exit 3; COMP_WORDS=({' '.join(words)}); "
        f"COMP_CWORD={len(words) - 1}; _ringlog_completion ringlog; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    path = f"{os.path.dirname(COMMAND[0])}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", program],
        capture_output=True,
        text=True,
        env=environment(PATH=path),
        check=True,
    )
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str) -> None:
    script = out("completion", shell).decode()
    assert f"_RINGLOG_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell() -> None:
    assert "bash" in error("completion", "csh", code=ExitCode.USAGE)
