"""A soak of a few seconds, with the build that is shipped and with the one that has named points."""

from __future__ import annotations

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
