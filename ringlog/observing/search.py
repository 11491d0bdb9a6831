"""Where the rings are: files that were named, and those below folders, which come and go."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence

_MAGIC = b"ringlog\n"
_MAGIC_OFFSET = 64
_SMALLEST = 128 << 10  # bytes of the smallest ring: a smaller file that can't be read is none
_SHARE = 0.05  # of the time, at most, goes into looking through folders


class Search:
    """Finds rings again and again; a large folder less often than a small one."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = [os.path.abspath(place) for place in places]
        self._again = 0.0
        self._rings: list[str] = []
        self._denied: list[str] = []

    def named(self, path: str) -> bool:
        """Was this very path asked for, rather than found in a folder?"""
        return path in self._places

    def look(self) -> tuple[list[str], list[str]]:
        """The rings, in order; and what may not be looked into: folders, and files that may be rings."""
        begun = time.monotonic()
        if begun >= self._again:
            rings: dict[str, None] = {}
            denied: dict[str, None] = {}
            for place in self._places:
                if os.path.isdir(place):
                    for path, readable in _below(place):
                        (rings if readable else denied)[path] = None
                else:
                    rings[place] = None
            self._rings, self._denied = sorted(rings), sorted(denied)
            done = time.monotonic()
            self._again = done + (done - begun) / _SHARE
        return self._rings, self._denied


def _below(folder: str) -> Iterator[tuple[str, bool]]:
    """Rings (True) and what can't be read (False) below a folder. Symbolic links are not followed."""
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
    except PermissionError:
        yield folder, False
        return
    except OSError:
        return  # removed meanwhile
    for entry in inside:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.is_file(follow_symlinks=False) and (readable := _is_ring(entry.path)) is not False:
                yield entry.path, bool(readable)
        except OSError:
            continue  # removed meanwhile


def _is_ring(path: str) -> bool | None:
    """None: it may be one, but we may not look. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        status = os.stat(path, follow_symlinks=False)
        return None if stat.S_ISREG(status.st_mode) and status.st_size >= _SMALLEST else False
    try:
        return os.pread(fd, len(_MAGIC), _MAGIC_OFFSET) == _MAGIC
    finally:
        os.close(fd)
