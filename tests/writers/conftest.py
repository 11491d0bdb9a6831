"""A place for rings that outlive the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from disk_place import disk_folder

import ringlog


@pytest.fixture
def disk_path() -> Iterator[str]:
    """Where a ring may be made that outlives the machine."""
    folder = disk_folder()
    if folder is None:
        pytest.skip("no file system with a disk; RINGLOG_DISK may name one")
    yield os.path.join(folder, "ring")
    for path in folder.iterdir():
        ringlog.unlink(path)
    os.rmdir(folder)
