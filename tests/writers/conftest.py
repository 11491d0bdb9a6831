"""A place for rings that outlive the machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import ringlog

CAPACITY = 1 << 16


@pytest.fixture
def disk_path() -> Iterator[str]:
    """Where a ring may be made that outlives the machine."""
    for place in (os.environ.get("RINGLOG_DISK"), tempfile.gettempdir(), "/var/tmp", Path.home()):
        if place and keeps(Path(place)):
            break
    else:
        pytest.skip("no file system with a disk; RINGLOG_DISK may name one")
    folder = tempfile.mkdtemp(prefix="ringlog-test-", dir=place)
    os.chmod(folder, 0o755)
    yield os.path.join(folder, "ring")
    for path in Path(folder).iterdir():
        ringlog.unlink(path)
    os.rmdir(folder)


def keeps(folder: Path) -> bool:
    path = folder / f"ringlog-test-{os.getpid()}"
    try:
        ringlog.Writer(path, capacity=CAPACITY, sync="always").close()
    except OSError:
        return False
    except ValueError:
        ringlog.unlink(path)
        return False
    ringlog.unlink(path)
    return True
