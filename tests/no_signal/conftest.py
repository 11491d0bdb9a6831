"""File systems that run out of room, and disks that fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disk_place import disk_folder
from no_signal_support import PAGE, take_the_rest


def as_root(*command: object) -> bool:
    if os.geteuid() != 0 or shutil.which(str(command[0])) is None:
        return False
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


@pytest.fixture
def small_memory(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, with 40 KiB more than a small ring needs."""
    place = tmp_path / "small"
    place.mkdir()
    if not as_root("mount", "-t", "tmpfs", "-o", "size=168k", "tmpfs", place):
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    assert as_root("umount", "-l", place)


DISK_BYTES = 24 << 20


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk's file system that can be made to fail: its backing file is cut, and what holds that is full."""
    memory, place = tmp_path / "memory", tmp_path / "mounted"
    memory.mkdir()
    place.mkdir()
    if not as_root("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", memory):
        pytest.skip("needs the right to mount a tmpfs")
    backing = memory / "disk"
    with backing.open("wb") as file:
        file.truncate(DISK_BYTES)
    if not (as_root("mkfs.ext4", "-q", "-F", backing) and as_root("mount", "-o", "loop", backing, place)):
        as_root("umount", "-l", memory)
        pytest.skip("needs the right to mount a loop device, and mkfs.ext4")

    def fail() -> None:
        os.truncate(backing, PAGE)
        take_the_rest(memory)

    yield place, fail
    assert as_root("umount", "-l", place)
    assert as_root("umount", "-l", memory)


@pytest.fixture
def disk_path() -> Iterator[str]:
    """Where a ring may be made that can be synced, and be damaged."""
    folder = disk_folder()
    if folder is None:
        pytest.skip("no file system with a disk; RINGLOG_DISK may name one")
    yield str(folder / "ring")
    shutil.rmtree(folder)
