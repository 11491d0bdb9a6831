"""Verifying looks at states that the tests of the writers know how to plant."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import ringlog

CAPACITY = 1 << 16

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "writers")]


@pytest.fixture
def disk_path() -> Iterator[str]:
    """Where a ring may be made whose commit records mean something."""
    for place in filter(
        None, (os.environ.get("RINGLOG_DISK"), tempfile.gettempdir(), "/var/tmp", Path.home())
    ):
        folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir=place))
        try:
            ringlog.Writer(folder / "ring", capacity=1 << 16, sync="always").close()
            ringlog.unlink(folder / "ring")
        except (OSError, ValueError):
            with contextlib.suppress(FileNotFoundError):
                ringlog.unlink(folder / "ring")
            folder.rmdir()
            continue
        yield str(folder / "ring")
        for path in folder.iterdir():
            with contextlib.suppress(ringlog.RinglogError):
                ringlog.unlink(path)
        shutil.rmtree(folder)
        return
    pytest.skip("no file system with a disk; RINGLOG_DISK may name one")


@pytest.fixture
def ring(ring_path: str) -> str:
    """Forty events of 30 bytes, the sequence in each."""
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(40):
            writer.append(b"%030d" % k)
    return ring_path


@pytest.fixture
def lapped(ring_path: str) -> str:
    """A ring that has been lapped several times by events of all sizes, in appends and batches."""
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(2000):
            writer.append(bytes(k * 37 % 300))
        writer.append_many([bytes(k) for k in range(200)])
        writer.append(bytes(CAPACITY // 2 - 16))
        writer.append(b"")
    return ring_path
