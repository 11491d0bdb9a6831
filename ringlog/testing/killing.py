"""Writers killed with SIGKILL at a named step, in a process of their own."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringlog.files import StrPath
from ringlog.testing.building import built
from ringlog.testing.points import points

START = "import sys, json; order = json.loads(sys.argv[1]); sys.path[:] = order['path']; "
START += "from ringlog.testing import doomed; doomed.run(order)"


class PointNotReached(AssertionError):
    """The writer came to its end, or failed, without passing the point; the message says what it passed."""


@dataclass(frozen=True)
class Killed:
    """A writer that was killed. pid: what its process was. output: what it had written to standard output."""

    point: str
    pid: int
    output: str


def kill_writer_at(
    point: str,
    ring: StrPath,
    write: Callable[[str], object] | str | Path | None = None,
    *,
    hits: int = 1,
    timeout: float = 30.0,
) -> Killed:
    """Run a writer in a process of its own, kill it with SIGKILL at a named step, and wait until it is gone.

    point: the step, one of `points()`. ring: its path, or a TemporaryRing. write: what the writer does. A
    function at a module's top level, called with the ring's path; Python code as a str, in which `path` is
    that and `ringlog` is imported; a Path, a script that gets it as its only argument. By default it opens a
    Writer and appends small events, `b"event 0"` and so on, until the ring has been filled several times.
    hits: it is killed when it has passed the point so often; counted from where `write` begins, so opening a
    Writer counts too.

    The process runs a second build of the core, since the one that is installed has no such points: made on
    this machine the first time, in about ten seconds, and kept in the user's cache directory. What the writer
    left is then in the ring, for the reader or the next writer under test. Blocks until the process is gone,
    at most `timeout` seconds.

    Raises ValueError (no such point, a function that can't be found by its name), BuildFailed (no C
    compiler), PointNotReached (with the writer's error output, if it failed), TimeoutError.
    """
    if point not in points():
        raise ValueError(f"no point is named {point!r}: ringlog.testing.points() lists them")
    if isinstance(hits, bool) or not isinstance(hits, int) or hits < 1:
        raise ValueError(f"hits must be 1 or more, not {hits!r}")
    folder = built()
    order = {
        "path": [folder, *(entry for entry in sys.path if entry != folder)],
        "point": point,
        "hits": hits,
        "ring": os.path.abspath(os.fspath(ring)),
        **_target(write),
    }
    before = os.environ.get("PYTHONPATH")
    process = subprocess.Popen(
        [sys.executable, "-c", START, json.dumps(order)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([folder, before] if before else [folder])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    with process:
        try:
            said, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            said, errors = process.communicate()
            raise TimeoutError(
                f"the writer neither passed {point!r} nor ended within {timeout} s\n{errors}"
            ) from None
        except BaseException:
            process.kill()
            raise
    if process.returncode == -signal.SIGKILL:
        return Killed(point, process.pid, said)
    raise PointNotReached(
        f"the writer ended with exit code {process.returncode} and did not pass {point!r} "
        f"{'once' if hits == 1 else f'{hits} times'}\n{errors}"
    )


def _target(write: Callable[[str], object] | str | Path | None) -> dict[str, Any]:
    if write is None:
        return {"kind": "fill"}
    if isinstance(write, str):
        return {"kind": "code", "code": textwrap.dedent(write)}
    if isinstance(write, Path):
        return {"kind": "script", "file": str(write.absolute())}
    if not callable(write):
        raise TypeError(f"write must be a function, code as str, a Path or None, not {type(write).__name__}")
    name = getattr(write, "__qualname__", "<")
    file = inspect.getsourcefile(write) if inspect.isfunction(write) else None
    if "<" in name or file is None:
        raise ValueError(
            f"{write!r} can't be found by name in another process: take a function at a module's top level"
        )
    return {"kind": "function", "module": write.__module__, "file": os.path.abspath(file), "name": name}
