"""A terminal with a shell, into which the console blocks of a page are typed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pexpect
from processes import GENEROUS

PROMPT = "READY> "
JOB_IS_DONE = re.compile(r"^\[\d+\][+-]? +Done\b.*\r?\n", re.M)  # the shell says so when it comes to it


class Terminal:
    """One shell on a terminal of its own; what it prints has to be what the page says, line by line."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "--noediting", "-i"],
            cwd=str(folder),
            env={**os.environ, **environment, "PS1": PROMPT, "TERM": "dumb", "NO_COLOR": "1"},
            dimensions=(40, 200),
            encoding="utf-8",
            echo=False,
            timeout=GENEROUS,
        )
        self._busy = True  # the first prompt is yet to come

    def follow(self, text: str) -> None:
        """Type the lines that begin with `$ `, and see the others printed. The last command may still run."""
        for line in text.splitlines():
            if line.startswith("$ "):
                self.come_to_rest()
                self._shell.sendline(line[2:])
                self._busy = True
            elif line == "^C":
                self._shell.sendintr()
            elif line.strip():
                self._see(line)

    def come_to_rest(self) -> None:
        """Wait until the prompt is back, and nothing else was printed."""
        if self._busy:
            self._expect(re.escape(PROMPT))
            self._busy = False

    def _see(self, line: str) -> None:
        pattern = r"\s+".join(re.escape(word).replace(r"\.\.\.", r"[^\r\n]*") for word in line.split())
        self._expect(rf"[ \t]*{pattern}[ \t]*\r?\n")

    def _expect(self, pattern: str) -> None:
        try:
            self._shell.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF):
            raise AssertionError(f"not printed: {pattern}\nbut: {self._shell.before}") from None
        before = JOB_IS_DONE.sub("", self._shell.before or "").replace("^C", "").strip()
        if before.startswith(PROMPT.strip()):  # a job in the background prints behind the prompt
            before = before.removeprefix(PROMPT.strip()).strip()
            self._busy = False
        assert not before, f"printed before {pattern}, and not in the page:\n{before}"

    def close(self) -> None:
        """Hang up: the shell and its jobs end."""
        self._shell.close(force=True)
