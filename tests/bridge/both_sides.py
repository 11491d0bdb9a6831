"""push and pull in threads of this process, and what they said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from processes import eventually

import ringlog
from ringlog.bridge import Figures, Nats, pull, push


class Side:
    """One push or pull that runs until it ends, or is stopped."""

    def __init__(self, work: Callable[..., Figures], path: str, of: Nats, **options: Any) -> None:
        self.stopping = threading.Event()
        self.said: list[str] = []
        self.states: set[str] = set()
        self.figures: Figures | None = None
        self.error: BaseException | None = None
        self._work, self._path, self._of, self._options = work, path, of, options
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.figures = self._work(
                self._path,
                self._of,
                stop=self.stopping,
                notice=self.said.append,
                progress=self._note,
                **self._options,
            )
        except BaseException as error:
            self.error = error

    def _note(self, figures: Figures) -> None:
        self.figures = figures
        self.states.add(figures.state)

    def ended(self, timeout: float = 30.0) -> Figures:
        """Wait for its end. Raises what it raised."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"still running: {self.figures}, it said {self.said}"
        if self.error is not None:
            raise self.error
        assert self.figures is not None
        return self.figures

    def stop(self) -> Figures:
        self.stopping.set()
        return self.ended()


class Sides:
    """Starts them, and stops what still runs in the end."""

    def __init__(self) -> None:
        self._started: list[Side] = []

    def push(self, path: str, to: Nats, **options: Any) -> Side:
        return self._start(Side(push, path, to, **options))

    def pull(self, path: str, of: Nats, **options: Any) -> Side:
        return self._start(Side(pull, path, of, **options))

    def _start(self, side: Side) -> Side:
        self._started.append(side)
        return side

    def __enter__(self) -> Sides:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in self._started:
            side.stopping.set()
        for side in self._started:
            side._thread.join(30)


def has(path: str, count: int) -> Callable[[], bool]:
    """As a condition: the ring is there, and so far."""

    def so_far() -> bool:
        try:
            return ringlog.info(path).event_count >= count
        except FileNotFoundError:
            return False

    return so_far


def wait_for(path: str, count: int) -> None:
    eventually(has(path, count))
