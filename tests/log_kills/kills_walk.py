"""Walks of programmes, two at a time, each by a driver of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import points_build

DRIVER = Path(__file__).parent / "kills_driver.py"
AT_ONCE = 2


class Walked(NamedTuple):
    cases: int
    steps: list[str]  # the names of all that were found, killed there or not
    errors: list[str]


def walk(programme: str, which: str, timeout: float | None) -> Walked:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(DRIVER), programme, which],
        env={**os.environ, "PYTHONPATH": points_build.built()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return Walked(0, [], [f"{programme} is not through within {timeout} s"])
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # it and its victims
            process.communicate()
    if process.returncode:
        return Walked(0, [], [f"{programme}: the driver failed:\n{errors.decode()}"])
    return Walked(**json.loads(out))


class Walks:
    """Those of several programmes, begun as soon as it is made."""

    def __init__(self, programmes: list[str], which: str, *, timeout: float | None = None) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._walks: dict[str, Future[Walked]] = {
            name: self._threads.submit(walk, name, which, timeout) for name in programmes
        }

    def of(self, programme: str) -> Walked:
        return self._walks[programme].result()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
