"""What the tests of the command line share: a place for rings, and processes that don't stay behind."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ringlog

sys.path.insert(0, str(Path(__file__).parent))

from cli_command import COMMAND, Start, out


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty directory in memory; rings that are left in it are removed with their semaphores."""
    path = Path(tempfile.mkdtemp(prefix="ringlog-cli-", dir="/dev/shm"))
    path.chmod(0o755)
    yield path
    for entry in path.iterdir():
        with contextlib.suppress(ringlog.RinglogError, OSError):
            ringlog.unlink(str(entry))
    shutil.rmtree(path)


@pytest.fixture
def ring(folder: Path) -> str:
    """Where a ring may be made."""
    return str(folder / "ring")


@pytest.fixture
def numbers(ring: str) -> str:
    """A ring with the events 0 to 9, whose data is their sequence."""
    out("write", "--capacity", "64K", ring, data=b"".join(b"%d\n" % number for number in range(10)))
    return ring


@pytest.fixture
def start() -> Iterator[Start]:
    """Start ``ringlog`` with these arguments; what still runs after the test is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def start_one(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*COMMAND, *arguments], **options)
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
