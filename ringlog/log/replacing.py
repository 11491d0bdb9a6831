"""A file that is there whole or not at all: written beside its place, and renamed when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ringlog.files import StrPath


def is_replaceable(target: StrPath) -> bool:
    """A regular file, or nothing yet. A pipe, a device or /dev/stdout is none: it is written to as it is."""
    if _is_descriptor(os.fspath(target)):
        return False
    try:
        return stat.S_ISREG(os.stat(target).st_mode)
    except FileNotFoundError:
        return True


@contextmanager
def replacement(target: StrPath, ending: str = ".partial") -> Iterator[str]:
    """The path of a file to make. It takes the place of ``target`` at the end.

    When anything is raised, what was made is removed and the target is as it was. A link is followed, and
    the mode of what stood there is kept. Raises OSError, always with the target's name.
    """
    wanted, target = os.fspath(target), os.path.realpath(target)
    token = secrets.token_hex(8)
    temporary = os.path.join(os.path.dirname(target), f".{token}{ending}")
    try:
        old = _writable(target)
        try:
            yield temporary
            if old is not None:
                _take_over(old, temporary)
            os.rename(temporary, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        if error.filename is None or token in str(error.filename) or error.filename == target:
            error.filename, error.filename2 = wanted, None
        raise


def _writable(target: str) -> os.stat_result | None:
    """What stands there, if anything does. Raises PermissionError: a rename would not ask."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return None
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    return old


def _take_over(old: os.stat_result, path: str) -> None:
    """Mode and owner of the file before; and on disk first, so that a power cut leaves one of the two."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(PermissionError):  # another user's file that we may write
            os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, stat.S_IMODE(old.st_mode))
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_descriptor(path: str) -> bool:
    """/dev/stdout, /proc/self/fd/1 and the like: a name for what is open, not for a place."""
    for _ in range(40):  # links; the kernel follows as many
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path.startswith("/proc/"):
            return True
        try:
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        except OSError:
            return False
    return False
