"""A disk, a recorder, and a place for the images that are opened."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_place import disk_folder
from recorder import build

import ringlog


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("single stores are recorded on x86-64 only")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("another library is in front of ours")
    return build(tmp_path_factory.mktemp("recorder"))


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """An empty folder on a disk."""
    folder = disk_folder()
    if folder is None:
        pytest.skip("no file system with a disk; RINGLOG_DISK may name one")
    yield folder
    for path in folder.rglob("ring"):
        with contextlib.suppress(ringlog.RinglogError):
            ringlog.unlink(path)
    shutil.rmtree(folder)


@pytest.fixture
def image_path(ring_path: str) -> str:
    """Where images are opened: in memory, as it's only their bytes that count."""
    return ring_path
