"""Has races run in a process of its own: a library that crashes or hangs costs one run and no more."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from bench.processes import CONTEXT
from bench.race import Failed

GRACE = 10.0  # seconds beyond the patience that a run has itself, for its own cleaning up


def _work(orders: Connection) -> None:
    """The other process: a session of its own, so that all it started can be ended with it."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError):
        while True:
            function, arguments = orders.recv()
            try:
                answer = function(*arguments)
            except Exception as error:
                kind = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
                answer = Failed(f"{kind}{error}"[:300])
            orders.send(answer)


class Referee:
    """A context manager with one process, which is replaced when it is lost."""

    def __enter__(self) -> Referee:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, function: Callable[..., Any], *arguments: Any, patience: float) -> Any:
        """What the function returns over there; Failed if it failed, crashed or took too long."""
        self._orders.send((function, arguments))
        try:
            if not self._orders.poll(patience + GRACE):
                self._again()
                raise Failed("hung, and could not be stopped but by force")
            answer = self._orders.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(1)
            code = self._process.exitcode or 0
            self._again()
            raise Failed(f"crashed the process that opened it (exit code {code})") from None
        if isinstance(answer, Failed):
            raise answer
        return answer

    def _start(self) -> None:
        self._orders, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_work, args=(theirs,))
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        self._orders.close()
        self._process.join(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.join()

    def _again(self) -> None:
        self._end()
        self._start()
