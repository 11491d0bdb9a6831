"""Which processes have a file mapped or open, as /proc tells: evidence for people, and a check before one is
killed.

Only processes that we may look at are seen: our own user's, or all of them for root.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

Place = tuple[str, int]  # a device, as /proc writes it, and an inode


def mapped(pid: int | str) -> set[Place]:
    """The files that a process has mapped; empty if it is gone or may not be looked at."""
    places = set()
    try:
        with open(f"/proc/{pid}/maps", "rb") as lines:
            for line in lines:
                _, _, _, device, inode = line.split(maxsplit=5)[:5]
                if inode != b"0":
                    places.add((device.decode(), int(inode)))
    except (OSError, ValueError):
        return set()
    return places


def opened(pid: int | str) -> set[tuple[int, int]]:
    """The device and inode of each file that a process has a descriptor of; empty if it is gone or may not be
    looked at."""
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):  # closed meanwhile
                    seen = os.stat(descriptor.path)
                    found.add((seen.st_dev, seen.st_ino))
    except OSError:
        return set()
    return found


@contextlib.contextmanager
def mapping(path: str) -> Iterator[int]:
    """Have a file mapped for a moment, whole and untouched: its inode. Raises OSError, ValueError (empty)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ):
            yield os.fstat(fd).st_ino
    finally:
        os.close(fd)


def place_of(path: str) -> set[Place]:
    """Where a file lies, as `mapped` shows it: some file systems show another device there than `stat` does.
    Raises OSError; needs read permission."""
    with mapping(path) as inode:
        return {place for place in mapped("self") if place[1] == inode}


def processes() -> Iterator[int]:
    """The pids that can be seen from here."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def users_of(places: set[Place]) -> list[int]:
    """The processes, but for this one, that have any of these files mapped."""
    own = os.getpid()
    return [pid for pid in processes() if pid != own and places & mapped(pid)]
