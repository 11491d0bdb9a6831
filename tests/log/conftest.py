from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def log(ring_folder: Path) -> Iterator[Path]:
    """Where a log may be made."""
    folder = ring_folder / "files"
    folder.mkdir()
    return folder / "log"
