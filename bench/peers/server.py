"""A peer's server: found, started, waited for, and gone at the end whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PATIENCE = 10.0
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def find(program: str, *folders: Path) -> str:
    """The program from this environment, from these folders, or from the system."""
    places = [Path(sys.executable).parent, *folders, *map(Path, os.get_exec_path())]
    found = shutil.which(program, path=os.pathsep.join(map(str, places)))
    if found is None:
        raise FileNotFoundError(f"there is no {program} on this machine")
    return found


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Sequence[str], answers: Callable[[], object], log: Path) -> Iterator[None]:
    """A server that has begun to answer; `answers` raises OSError until it does.

    The kernel kills it if we are killed.
    """
    prctl = ctypes.CDLL(None).prctl

    def before() -> None:
        prctl(DIE_WITH_PARENT, signal.SIGKILL)

    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=before) as server,
    ):
        try:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    answers()
                    break
                except OSError as error:
                    if server.poll() is not None or time.monotonic() > until:
                        words = log.read_text(errors="replace").strip()[-500:]
                        raise RuntimeError(f"{command[0]} does not answer ({error}): {words}") from error
                    time.sleep(0.01)
            yield
        finally:
            server.kill()
