"""Keys as they are pressed, and what else a full-screen display has to hear of: resizes and suspensions."""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from ringlog.cli import output

_KEYS = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[H": "home",
    b"\x1bOH": "home",
    b"\x1b[1~": "home",
    b"\x1b[F": "end",
    b"\x1bOF": "end",
    b"\x1b[4~": "end",
}
_ONE = re.compile(rb"\x1b(?:\[[0-9;]*[ -/]*[@-~]|O[@-~])|[^\x1b]|\x1b(?!\[[0-9;]*[ -/]*$|O?$)", re.DOTALL)


class Keyboard:
    """Reads keys without waiting for a line. Use within `at_work`."""

    def __init__(self) -> None:
        self._bell, self._ring = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._pending = b""
        self._before: list[Any] | None = None
        self._open = os.isatty(output.STDIN)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keys come at once and are not shown; resizes end a wait. Leaving the block undoes it all."""
        before = {number: signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGCONT)}
        try:
            for number in before:
                signal.signal(number, self._wake)
            self.take()
            yield
        finally:
            self.give_back()
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._bell)
            os.close(self._ring)

    def take(self) -> None:
        """Let keys come one by one."""
        if self._open and self._before is None:
            self._before = termios.tcgetattr(output.STDIN)
            tty.setcbreak(output.STDIN, termios.TCSADRAIN)

    def give_back(self) -> None:
        """The terminal's line mode as it was."""
        if self._before is not None:
            termios.tcsetattr(output.STDIN, termios.TCSADRAIN, self._before)
            self._before = None

    def wait(self, until: float) -> list[str]:
        """Keys that were pressed, as soon as there are any; none when the window was resized, or at the time
        `until` (monotonic), at once if it has come."""
        inputs = [self._bell, *([output.STDIN] if self._open else [])]
        ready, _, _ = select.select(inputs, [], [], max(0.0, until - time.monotonic()))
        if self._bell in ready:
            os.read(self._bell, 4096)
        if output.STDIN not in ready:
            self._pending = b""  # the rest of a sequence would have come by now
            return []
        try:
            data = os.read(output.STDIN, 1024)
        except OSError:
            data = b""
        if not data:
            self._open = False  # the terminal is gone: SIGHUP says the rest
        data = self._pending + data
        found = _ONE.findall(data)
        self._pending = data[sum(map(len, found)) :]
        return [_KEYS.get(key, key.decode(errors="replace")) for key in found]

    def _wake(self, _number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):
            os.write(self._ring, b"!")
