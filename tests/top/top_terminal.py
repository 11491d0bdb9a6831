"""A real terminal with ``ringlog`` in it, and a screen that can be read."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Sequence

import pexpect
import pyte
from cli_command import environment
from processes import GENEROUS, eventually

Open = Callable[..., "Terminal"]  # the fixture that starts one


def _signals_as_in_a_shell() -> None:
    """Whoever runs the tests may ignore some (nohup, a job in the background), and children inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """What the command wrote, as a person sees it (`lines`) and as it came (`raw`)."""

    def __init__(
        self, command: Sequence[str], width: int, height: int, changes: dict[str, str | None]
    ) -> None:
        self.raw = ""
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.Stream(self._screen)
        self.child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=environment(LINES=None, COLUMNS=None, **changes),
            encoding="utf-8",
            timeout=GENEROUS,
            dimensions=(height, width),
            preexec_fn=_signals_as_in_a_shell,
        )
        self.child.delaybeforesend = None

    def lines(self) -> list[str]:
        """The screen as it is now, without what is blank at the ends of lines."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while not self.child.closed:
                text = self.child.read_nonblocking(1 << 16, timeout=0)
                self.raw += text
                self._stream.feed(text)
        return [line.rstrip() for line in self._screen.display]

    def until(self, condition: Callable[[list[str]], object]) -> list[str]:
        """The screen, as soon as the condition holds of it."""
        try:
            eventually(lambda: condition(self.lines()))
        except AssertionError:
            raise AssertionError("\n".join(["it never came to be seen on", *self.lines()])) from None
        return [line.rstrip() for line in self._screen.display]

    def until_seen(self, text: str) -> list[str]:
        return self.until(lambda lines: any(text in line for line in lines))

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def resize(self, width: int, height: int) -> None:
        self._screen.resize(height, width)
        self.child.setwinsize(height, width)

    def finish(self) -> int:
        """Its exit code; 128 and the signal's number if one ended it."""
        self.child.expect(pexpect.EOF)
        self.raw += self.child.before or ""
        self.child.close()
        return 128 + self.child.signalstatus if self.child.signalstatus else self.child.exitstatus or 0

    def given_back(self) -> bool:
        """Is what was there before on the screen again, and the cursor?"""
        self.lines()
        entered, left = self.raw.rfind("\x1b[?1049h"), self.raw.rfind("\x1b[?1049l")
        return 0 <= entered < left and self.raw.rfind("\x1b[?25l") < self.raw.rfind("\x1b[?25h")

    def close(self) -> None:
        self.child.close(force=True)
