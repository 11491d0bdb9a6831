"""How far a long input is, shown on standard error where that is a terminal.

Drawn only from `Progress.update`, without a thread, and only once the input has turned out to be
long: short ones neither flicker nor pay for importing rich.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ringlog.cli import output
from ringlog.cli.values import size_text

if TYPE_CHECKING:
    import rich.progress

PATIENCE = 0.5  # seconds without a display
INTERVAL = 0.1  # seconds between two drawings


class Progress:
    """Bytes and events so far; a bar if ``total`` bytes are known."""

    def __init__(self, title: str, total: float | None, wanted: bool) -> None:
        self.events = 0
        self.bytes = 0
        self._title = title
        self._total = total
        self._wanted = wanted and output.is_terminal(output.STDERR)
        self._display: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None
        self._began = time.monotonic()
        self._next = self._began + PATIENCE

    @property
    def was_shown(self) -> bool:
        return self._display is not None

    def close(self) -> None:
        """Draw it a last time and give the terminal back."""
        if self._display is not None:
            self._draw()
            self._display.stop()

    def update(self, events: int, size: int) -> None:
        """Another ``events`` events, which were ``size`` bytes of the input."""
        self.events += events
        self.bytes += size
        if self._wanted and (now := time.monotonic()) >= self._next:
            self._next = now + INTERVAL
            self._draw()

    def notice(self, text: str) -> None:
        """Say a line without tearing the display."""
        if self._display is None:
            output.say(text)
        else:
            self._display.console.print(f"ringlog: {text}", markup=False, highlight=False, soft_wrap=True)

    def figures(self) -> dict[str, float]:
        """The summary for ``--json``; bytes are those of the input."""
        seconds = time.monotonic() - self._began
        return {"events": self.events, "bytes": self.bytes, "seconds": round(seconds, 6)}

    def summary(self) -> str:
        seconds = time.monotonic() - self._began
        rate = self.events / seconds if seconds > 0 else 0.0
        many = f"{self.events:,} event{'' if self.events == 1 else 's'}"
        return f"{many}, {size_text(self.bytes)} in {seconds:.2f} s ({rate:,.0f} events/s)"

    def _draw(self) -> None:
        if self._display is None:
            self._begin()
        assert self._display is not None
        assert self._task is not None
        done = self.bytes if self._total is None else min(self.bytes, self._total)
        self._display.update(self._task, completed=done, events=f"{self.events:,} events")
        self._display.refresh()

    def _begin(self) -> None:
        from rich import progress
        from rich.console import Console

        columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.description}", markup=False)]
        if self._total is not None:
            columns += [progress.BarColumn(), progress.TaskProgressColumn()]
        columns += [progress.DownloadColumn(binary_units=True)] if self._total is not None else []
        columns += [progress.TextColumn("{task.fields[events]}"), progress.TransferSpeedColumn()]
        columns += [progress.TimeElapsedColumn() if self._total is None else progress.TimeRemainingColumn()]
        console = Console(stderr=True)
        self._display = progress.Progress(*columns, console=console, auto_refresh=False)
        self._task = self._display.add_task(self._title, total=self._total, events="")
        self._display.start()
