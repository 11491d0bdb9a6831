"""Several drivers at once, each an interpreter of its own: cases mostly wait."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import points_build

DRIVERS = 4
HANGS = 60.0  # seconds that no case needs

Case = tuple[str, str, str, str]  # point, programme, action, scenario


class Driver:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).parent / "points_driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": points_build.built()},
            cwd="/",
            start_new_session=True,
        )

    def ask(self, case: Case) -> dict[str, Any] | None:
        """None: no answer, and this driver is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(case).encode() + b"\n")
            self._process.stdin.flush()
        ready = select.select([self._process.stdout], [], [], HANGS)[0]
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.close()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """It and whatever it has forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


class Pool:
    """Runs the cases of one run of the tests, in their order, as soon as the first is asked for."""

    def __init__(self, cases: list[Case]) -> None:
        self._own = threading.local()
        self._drivers: list[Driver] = []
        self.cases, self.recovery = 0, 0.0
        self._threads = ThreadPoolExecutor(min(DRIVERS, len(cases)))
        self._answers: dict[Case, Future[dict[str, Any]]] = {
            case: self._threads.submit(self._run, case) for case in cases
        }

    def _run(self, case: Case) -> dict[str, Any]:
        if not hasattr(self._own, "driver"):
            self._own.driver = Driver()
            self._drivers.append(self._own.driver)
        answer: dict[str, Any] | None = self._own.driver.ask(case)
        if answer is None:
            del self._own.driver
            answer = {"error": f"no answer within {HANGS} s", "cases": 1, "unreached": [], "recovery": 0.0}
        return answer

    def answer(self, case: Case) -> dict[str, Any]:
        answer = self._answers[case].result()
        self.cases += answer["cases"]
        self.recovery = max(self.recovery, answer["recovery"])
        return answer

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for driver in self._drivers:
            driver.close()
