"""Where temporary rings live: in memory if the machine can, and gone when their process is, however it ended.

Each folder is held by a file lock of the process that made it, and all of a user's folders stand in one
parent. Who makes a folder first removes those that nobody holds any more: a process that is killed can't
clean up, so the next one does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ringlog.errors import RinglogError
from ringlog.ring import unlink

MEMORY = Path("/dev/shm")


class Folder:
    """A folder of this process alone, until `remove`. Raises OSError where none can be made."""

    def __init__(self, fallback: Path | None = None) -> None:
        self._parent = _parent(fallback)
        with _held(self._parent):
            _remove_abandoned(self._parent)
            self.path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._parent))
            self._lock: int | None = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """The rings in it, with their semaphores, and the folder. Once more does nothing."""
        if self._lock is None:
            return
        with _held(self._parent):
            _remove(self.path)
            with contextlib.suppress(OSError):
                self._parent.rmdir()  # others still use it, or not
        os.close(self._lock)
        self._lock = None


def _parent(fallback: Path | None) -> Path:
    """The user's own, where nobody else can put anything."""
    name = f"ringlog-testing-{os.geteuid()}"
    choices = [MEMORY, fallback or Path(tempfile.gettempdir())]
    for base in choices:
        if base.is_dir() and os.access(base, os.W_OK | os.X_OK):
            return base / name
    raise FileNotFoundError(
        f"no place for rings: neither of {', '.join(map(str, choices))} can be written to"
    )


@contextlib.contextmanager
def _held(parent: Path) -> Iterator[None]:
    """Made if missing, and locked: nobody else makes or removes folders in it meanwhile."""
    while True:
        with contextlib.suppress(FileExistsError):
            parent.mkdir(mode=0o700)
        try:
            lock = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # the last one to leave has just removed it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_uid != os.geteuid():
                raise PermissionError(f"{parent} is another user's")
            if _still_named(lock, parent):
                yield
                return
        finally:
            os.close(lock)


def _still_named(lock: int, parent: Path) -> bool:
    """While we waited for its lock the folder may have been removed, and another made."""
    try:
        named = os.stat(parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return named.st_ino == os.fstat(lock).st_ino


def _remove_abandoned(parent: Path) -> None:
    for folder in list(parent.iterdir()):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
        except BlockingIOError:
            pass  # its process lives, or a child that it forked
        finally:
            os.close(lock)


def _remove(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with contextlib.suppress(RinglogError, OSError):
                unlink(file)
    shutil.rmtree(folder, ignore_errors=True)
