"""The live screen of ``ringlog top``: drawn anew with each look, each key and each resize."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ringlog.cli import output
from ringlog.cli.keyboard import Keyboard
from ringlog.cli.people import span
from ringlog.cli.top import SOON, new_console
from ringlog.cli.top_lines import NARROWEST, SORTS, Sort, body, heading
from ringlog.observing import Sample, Sampler

_AROUND = 3  # lines: two above, one below


class View:
    """What the keys change: the order, the first line shown, and whether the picture is held."""

    def __init__(self, sort: Sort, interval: float) -> None:
        self.held = False
        self._sort: Sort = sort
        self._backwards = False
        self._first = 0
        self._page = 1
        self._interval = interval

    def press(self, key: str) -> bool:
        """Do what the key says; False: it says to end."""
        match key:
            case "q" | "Q":
                return False
            case "s" | "S":
                at = SORTS.index(self._sort) + (1 if key == "s" else -1)
                self._sort = SORTS[at % len(SORTS)]
            case "r":
                self._backwards = not self._backwards
            case " ":
                self.held = not self.held
            case "up" | "k":
                self._first -= 1
            case "down" | "j":
                self._first += 1
            case "page up":
                self._first -= self._page
            case "page down":
                self._first += self._page
            case "home" | "g":
                self._first = 0
            case "end" | "G":
                self._first = 1 << 30
        return True

    def draw(self, sample: Sample, width: int, height: int) -> list[Text]:
        """The whole screen, line by line."""
        columns = max(NARROWEST, width)
        lines = body(sample, columns, self._sort, self._backwards)
        self._page = max(1, height - _AROUND)
        self._first = max(0, min(self._first, len(lines) - self._page))
        shown = lines[self._first : self._first + self._page]
        shown += [Text()] * (self._page - len(shown))
        screen = [*heading(sample, columns), *shown, self._footer(len(lines), columns)]
        return screen[:height]

    def _footer(self, lines: int, width: int) -> Text:
        order = f"{self._sort}{' reversed' if self._backwards else ''}"
        keys = f" q quit  s sort: {order}  r reverse  space {'go on' if self.held else 'hold'}  "
        last = min(lines, self._first + self._page)
        place = (
            f"{self._first + 1}-{last} of {lines}" if lines > self._page else f"every {span(self._interval)}"
        )
        return Text((keys + place.rjust(width - len(keys) - 1)).ljust(width), "reverse")


def watch(sampler: Sampler, view: View, interval: float) -> None:
    """Show the rings until somebody ends it. The terminal is as before then, whichever way that was."""
    console = new_console()
    keyboard = Keyboard()
    sample = sampler.sample()
    due = time.monotonic() + min(interval, SOON)
    # In this order: the screen is given back while keys still end what they are to end.
    with _hangups_end_it(), keyboard.at_work(), _live(console) as live, _suspending(keyboard, live):
        while True:
            with contextlib.suppress(OSError):  # of a terminal that is gone: SIGHUP will follow
                console.size = os.get_terminal_size(output.STDOUT)
            width, height = console.size
            lines = view.draw(sample, width, height)
            for line in lines:
                line.no_wrap, line.overflow = True, "crop"
            live.update(Group(*lines), refresh=True)
            if not all(view.press(key) for key in keyboard.wait(due)):
                return
            if time.monotonic() >= due:
                due = time.monotonic() + interval
                if not view.held:
                    sample = sampler.sample()


def _live(console: Console) -> Live:
    return Live(
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )


@contextlib.contextmanager
def _hangups_end_it() -> Iterator[None]:
    """SIGHUP and SIGQUIT end it as SIGTERM does, so that the terminal is given back."""
    numbers = [one for one in (signal.SIGHUP, signal.SIGQUIT) if signal.getsignal(one) == signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, signal.getsignal(signal.SIGTERM))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _suspending(keyboard: Keyboard, live: Live) -> Iterator[None]:
    """Ctrl-Z gives the terminal back while the process is stopped."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        live.stop()
        keyboard.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        keyboard.take()
        live.start()

    before = signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
