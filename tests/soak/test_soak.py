"""Soaks of a few seconds, with the build that is shipped and with the one that has named points."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("more", [(), ("--points",)], ids=["shipped", "points"])
def test_a_short_soak(more: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--minutes", "0.05", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "lost: 0, wrong: 0" in done.stdout


def test_recorders_are_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.recording", "--minutes", "0.03"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "other gaps: 0, duplicates: 0, wrong: 0" in done.stdout
    outages, exact = map(
        int, re.findall(r"longer than the ring: (\d+), exact gaps for them: (\d+)", done.stdout)[0]
    )
    assert outages == exact > 0
