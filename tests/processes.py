"""Code in processes of its own: spawned from text, or forked from here. Every wait is bounded."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from typing import Any

GENEROUS = 20.0  # seconds: a wait this long is a hang, on a busy machine too
NOBODY = 65534

PREAMBLE = """\
import os, signal, sys, threading, time
import ringlog
path = sys.argv[1] if len(sys.argv) > 1 else None
def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")  # one write: threads may say things at once
    sys.stdout.flush()
"""
# Not by exec as that user: the interpreter may well be where only root can go.
BECOME = """\
os.setgroups([])
os.setgid({user})
os.setuid({user})
"""


class Child:
    """Python code that runs in a new process.

    The code finds `ringlog`, `path` (its first argument) and `say(...)`, which prints a line at once.
    With `user` it gives up being root first.
    """

    def __init__(self, code: str, *arguments: object, user: int | None = None) -> None:
        become = "" if user is None else BECOME.format(user=user)
        program = PREAMBLE + become + textwrap.dedent(code)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd="/",
        )
        self._pending = b""
        self.pid = self.process.pid

    def line(self, timeout: float = GENEROUS) -> str:
        """The next line that it says; AssertionError, with what went wrong there, if none comes."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"nothing said within {timeout} s\n{self.errors()}"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"ended without a line, exit code {self.process.wait(timeout)}\n{self.errors()}"
            self._pending += more
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def tell(self, line: str = "") -> None:
        """Give it a line to read from standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        """What it has written to standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def finish(self, timeout: float = GENEROUS, *, code: int = 0) -> str:
        """Wait for its end, with this exit code, and return what it said and nobody has read yet."""
        try:
            said, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s\n{self.errors()}") from None
        assert self.process.returncode == code, f"exit code {self.process.returncode}\n{self.errors()}"
        return (self._pending + said).decode()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait(GENEROUS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def run(code: str, *arguments: object, user: int | None = None, timeout: float = GENEROUS) -> str:
    """Run Python code in a new process to its end; what it printed."""
    child = Child(code, *arguments, user=user)
    try:
        return child.finish(timeout)
    finally:
        child.close()


def run_forked(function: Callable[[], Any], timeout: float = GENEROUS) -> Any:
    """Call the function in a forked child; what it returned, or the exception that it raised."""
    inward, outward = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                answer = pickle.dumps((True, function()))
            except BaseException as error:
                answer = pickle.dumps((False, f"{type(error).__name__}: {error}"))
            os.write(outward, answer)
        finally:
            os._exit(0)
    os.close(outward)
    try:
        ready, _, _ = select.select([inward], [], [], timeout)
        if not ready:
            os.kill(pid, signal.SIGKILL)
        with os.fdopen(inward, "rb") as stream:
            answer = stream.read()
    finally:
        os.waitpid(pid, 0)
    assert answer, f"the forked child said nothing within {timeout} s"
    done, value = pickle.loads(answer)
    if not done:
        raise AssertionError(f"in the forked child: {value}")
    return value


def eventually(condition: Callable[[], Any], timeout: float = GENEROUS) -> Any:
    """The condition's value as soon as it is true; AssertionError if it does not become true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.005)
    return value


def asleep(pid: int) -> bool:
    """Does every thread of this process sleep? Then it waits for something."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as stream:
            if stream.read().rpartition(")")[2].split()[0] not in ("S", "D"):
                return False
    return True
