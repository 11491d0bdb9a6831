"""A ring, and clocks that a test can set."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Child

import ringlog

sys.path.insert(0, str(Path(__file__).parent))

from set_clocks import Clocks


@pytest.fixture
def clocks(tmp_path: Path, spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch) -> Clocks:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    return Clocks(tmp_path, spawn, monkeypatch)


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path
