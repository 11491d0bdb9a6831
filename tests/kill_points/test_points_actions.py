"""The build with points: arming one, and what happens there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import points_build
import pytest

PREPARE = """
import os, signal, sys, time
import ringlog
from ringlog import _core
writer = ringlog.Writer(sys.argv[1], capacity=1 << 16)
"""


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREPARE + code, str(path)],
        env={**os.environ, "PYTHONPATH": points_build.built()},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_hits_are_counted_and_only_the_last_one_acts(ring_path: str) -> None:
    code = """
rung = []
signal.signal(signal.SIGUSR1, lambda number, frame: rung.append(_core.point_hits()["head_stored"]))
before = _core.point_hits()["head_stored"]
_core.arm_point("head_stored", signal.SIGUSR1, hits=3)
for _ in range(6):
    writer.append(b"x")
assert _core.point_hits()["head_stored"] == before + 6
assert rung == [before + 3], rung
_core.arm_point("head_stored", signal.SIGUSR1)
_core.arm_point(None)
writer.append(b"x")
assert len(rung) == 1
writer.close()
"""
    done = run(code, Path(ring_path))
    assert done.returncode == 0, done.stderr


def test_a_delay_is_waited_in_the_call(ring_path: str) -> None:
    code = """
_core.arm_point("unlock_released", delay=0.2)
started = time.monotonic()
writer.append(b"x")
assert time.monotonic() - started >= 0.2
writer.close()
"""
    done = run(code, Path(ring_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", ["'no_such'", "'head_stored', 9, 0", "'head_stored', 0, 1, -1.0", "5"])
def test_what_makes_no_sense_is_refused(ring_path: str, arguments: str) -> None:
    code = f"""
try:
    _core.arm_point({arguments})
except (ValueError, TypeError):
    writer.close()
else:
    sys.exit("taken")
"""
    done = run(code, Path(ring_path))
    assert done.returncode == 0, done.stderr
