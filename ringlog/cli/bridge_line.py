"""What a push or pull does, as one line that is drawn again and again, and notices above it.

Only on a terminal: elsewhere there are the notices alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ringlog.bridge.boards import printable
from ringlog.bridge.figures import Figures
from ringlog.cli import output
from ringlog.cli.figures import short, short_bytes, short_span
from ringlog.cli.people import count
from ringlog.cli.values import size_text

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

INTERVAL = 0.2  # seconds between two drawings
_STYLES = {"running": "bright_blue", "blocked": "yellow", "disconnected": "bold reverse"}


class BridgeLine:
    """Drawn only from `update`, without a thread."""

    def __init__(self, path: str) -> None:
        self.last: Figures | None = None
        self._path = path
        self._wanted = output.is_terminal(output.STDERR)
        self._display: Live | None = None
        self._began = time.monotonic()
        self._next = self._began

    @property
    def was_shown(self) -> bool:
        return self._display is not None

    def update(self, figures: Figures) -> None:
        """These are the figures now."""
        self.last = figures
        if self._wanted and (now := time.monotonic()) >= self._next:
            self._next = now + INTERVAL
            self._draw(figures)

    def notice(self, text: str) -> None:
        """Say a line without tearing the display."""
        text = printable(text)
        if self._display is None:
            output.say(text)
        else:
            self._display.console.print(f"ringlog: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back; the line is gone then."""
        if self._display is not None:
            self._display.stop()

    def figures(self) -> dict[str, Any]:
        """For ``--json``."""
        seconds = round(time.monotonic() - self._began, 6)
        if self.last is None:
            return {"path": self._path, "events": 0, "bytes": 0, "seconds": seconds}
        return {**figures_of(self.last), "path": self._path, "seconds": seconds}

    def sum_up(self) -> None:
        """Say what was done, unless it never came to be anything."""
        if self.last is not None and (self.last.state != "failed" or self.last.events):
            output.say(f"{self._path}: {self._summary(self.last)}")

    def _summary(self, figures: Figures) -> str:
        seconds = time.monotonic() - self._began
        rate = figures.events / seconds if seconds > 0 else 0.0
        many = f"{figures.events:,} event{'' if figures.events == 1 else 's'}"
        text = f"{many}, {size_text(figures.bytes)} in {seconds:.2f} s ({rate:,.0f} events/s)"
        if figures.missing:
            text += f"; {figures.missing:,} are missing, in {count(figures.gaps, 'gap')}"
        if figures.reconnects:
            text += f"; {count(figures.reconnects, 'reconnect')}"
        return text

    def _draw(self, figures: Figures) -> None:
        if self._display is None:
            from rich.console import Console
            from rich.live import Live

            self._display = Live(
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._display.start()
        self._display.update(line(figures), refresh=True)


def line(figures: Figures) -> Text:
    """State, rates and lag, and why it does not go on."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{figures.direction} ", "bold")
    text.append(f"{figures.state:<12}", _STYLES.get(figures.state, ""))
    text.append(
        f" {short(figures.events_per_second):>5} events/s {short_bytes(figures.bytes_per_second):>5}/s"
    )
    text.append(f"  lag {short(figures.lag_events)}, {short_span(figures.lag_seconds)}")
    if figures.reconnects:
        text.append(f"  {count(figures.reconnects, 'reconnect')}")
    if figures.missing:
        text.append(f"  {short(figures.missing)} missing", "yellow")
    if figures.note:
        text.append(f"  {printable(figures.note)}")
    return text


def figures_of(figures: Figures) -> dict[str, Any]:
    """Those that mean something outside of this machine's processes."""
    inside = ("since_boot", "namespace")
    return {name: value for name, value in vars(figures).items() if name not in inside}
