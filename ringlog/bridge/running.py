"""What push and pull have in common: an event loop of their own, being stopped, and telling how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, TypeVar

from ringlog.bridge.figures import Board, Figures
from ringlog.bridge.transport import Inlet, Outlet

_T = TypeVar("_T")

TURN = 0.1  # seconds between two looks at `stop`, at most
TOLD = 0.2  # seconds between two calls of `progress`
AGAIN = 2.0  # seconds for one attempt to end it
BLOCKED = 0.25  # seconds of waiting until it is called that

NewStream = Literal["refuse", "replace"]
Progress = Callable[[Figures], object]


class _Event(Protocol):
    def is_set(self) -> bool: ...


Stop = Callable[[], bool] | _Event | None


class Stopped(Exception):
    """`stop` said so. Only within this package."""


class Running:
    """One push or pull: its figures, who is told of them, and whether it is to stop."""

    def __init__(
        self, figures: Figures, stop: Stop, notice: Callable[[str], object] | None, progress: Progress | None
    ) -> None:
        self.figures = figures
        self.notice = notice or (lambda _line: None)
        self._progress = progress or (lambda _figures: None)
        self._asked = _asker(stop)
        self._board: Board | None = None
        self._next = 0.0
        self._measure: Callable[[], object] = lambda: None

    def run(
        self, main: Callable[[], Coroutine[Any, Any, None]], mode: int, measure: Callable[[], object]
    ) -> Figures:
        """Run `main` to its end. mode: for whom the figures are. measure: brings the lag up to date."""
        figures = self.figures
        figures.pid, figures.started = os.getpid(), time.time()
        self._measure = measure
        self._board = Board(figures, mode)
        try:
            self.tell(now=True)
            asyncio.run(_to_its_end(main))
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, Stopped):
                figures.state, figures.note = "failed", str(error) or type(error).__name__
                self._finally(keep=True)
                raise
            figures.state, figures.note = "stopped", ""
            self._finally(keep=False)
            if not isinstance(error, Stopped):
                raise
        else:
            self._finally(keep=False)
        return figures

    def _finally(self, *, keep: bool) -> None:
        """The last word to whoever follows the progress; who failed leaves a board that says why."""
        assert self._board is not None
        with contextlib.suppress(Exception):  # where something failed this may, too
            self._measure()
        self._progress(self.figures)
        self._board.update(now=True)
        if not keep:
            self._board.close()

    # ---- while it runs ----

    def stopping(self) -> bool:
        return self._asked()

    def check(self) -> None:
        """Raise Stopped if that was asked for; tell how it goes if it is time."""
        if self._asked():
            raise Stopped
        self.tell()

    def tell(self, *, now: bool = False) -> None:
        clock = time.monotonic()
        if not now and clock < self._next:
            return
        self._next = clock + TOLD
        self._measure()
        self._progress(self.figures)
        if self._board is not None:
            self._board.update(now=now)

    async def answer(self, question: Coroutine[Any, Any, _T], end: Outlet | Inlet) -> _T:
        """Wait for the other side, however long; being stopped ends it."""
        task = asyncio.ensure_future(question)
        try:
            while not (await asyncio.wait({task}, timeout=TURN))[0]:
                if not end.connected and self.figures.state in ("running", "blocked"):
                    self.figures.state, self.figures.note = "disconnected", ""
                self.check()
            return task.result()
        finally:
            task.cancel()

    async def pause(self, seconds: float) -> None:
        """Sleep, and look whether to stop."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self.check()
            await asyncio.sleep(min(left, TURN))
        self.check()


class Blocked:
    """Waiting for somebody: longer and longer, and said only when it takes a while."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._since = time.monotonic()
        self._step = 0.0005
        self._was = running.figures.state

    async def wait(self, why: str) -> None:
        figures = self._running.figures
        if figures.state != "blocked" and time.monotonic() - self._since > BLOCKED:
            figures.state, figures.note = "blocked", why
            self._running.notice(why)
        await self._running.pause(self._step)
        self._step = min(2 * self._step, 0.05)

    def over(self) -> None:
        figures = self._running.figures
        if figures.state == "blocked":
            figures.state, figures.note = self._was, ""


async def _to_its_end(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it. Ctrl-C cancels it as often as it takes: a client may swallow a cancellation."""
    task = asyncio.ensure_future(main())
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=AGAIN)
        if not task.cancelled():
            task.exception()  # looked at
        raise
    task.result()


def _asker(stop: Stop) -> Callable[[], bool]:
    if stop is None:
        return lambda: False
    return stop if callable(stop) else stop.is_set
