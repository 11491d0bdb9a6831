"""Processes, each on a machine, and what they return. None outlives the block that they are used in."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any

from .namespaces import enter

SPAWN = get_context("spawn")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Job:
    """A function in a process of its own."""

    def __init__(self, place: str | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.talk, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_run, args=(place, function, arguments, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def result(self, timeout: float = 30.0) -> Any:
        """What it returns or says next. Raises what it raised, TimeoutError, EOFError if it was killed."""
        if not self.talk.poll(timeout):
            raise TimeoutError(f"process {self.process.pid} said nothing for {timeout:g} s")
        said = self.talk.recv()
        if isinstance(said, BaseException):
            raise said
        return said


class Team:
    """Starts them. A place is a machine's, as `enter` takes it."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def start(self, place: str | None, function: Callable[..., Any], *arguments: Any) -> Job:
        job = Job(place, function, arguments)
        self._jobs.append(job)
        return job

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_failure: object) -> None:
        for job in self._jobs:
            job.process.kill()
        for job in self._jobs:
            job.process.join()
            job.talk.close()


def until(condition: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait. Raises TimeoutError."""
    ends = time.monotonic() + patience
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"what was waited for did not come within {patience:g} s")
        time.sleep(0.005)


def _run(
    place: str | None, function: Callable[..., Any], arguments: tuple[Any, ...], talk: Connection
) -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if (parent := parent_process()) is None or not parent.is_alive():
        return
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        try:
            enter(place)
            talk.send(function(*arguments))
        except Exception as error:
            talk.send(error)
