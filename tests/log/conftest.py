from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ringlog


@pytest.fixture
def log(ring_folder: Path) -> Iterator[Path]:
    """Where a log may be made."""
    folder = ring_folder / "files"
    folder.mkdir()
    return folder / "log"


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path
