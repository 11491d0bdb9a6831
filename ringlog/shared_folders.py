"""Directories that several users may write to, such as /tmp and /dev/shm: whose file is it that stands there?

Who opens a ring that is made if it is missing takes what is there for what it would have made. In a sticky
directory that others may write to, another user may have put something there first. The rule is the kernel's
own (fs.protected_regular, fs.protected_symlinks), applied whatever is set there: what belongs neither to us
nor to the directory's owner is refused. Nobody but its owner and the directory's can replace a file there, so
what was looked at is what is used.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat


def open_ours(path: str, flags: int) -> int:
    """Open a file as os.open does, unless another user has put it, or a symbolic link to it, there for us.

    Raises PermissionError then, and OSError as os.open; a link that leads nowhere is no FileNotFoundError.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        fd = _follow(path, flags)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            _check(status.st_uid, os.readlink(f"/proc/self/fd/{fd}"), path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _follow(path: str, flags: int) -> int:
    _check(os.lstat(path).st_uid, path, path)
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise OSError(errno.ELOOP, "a symbolic link that leads nowhere", path) from None


def _check(owner: int, place: str, path: str) -> None:
    folder = os.path.dirname(place) or "/"
    try:
        status = os.stat(folder)
    except FileNotFoundError:  # it was removed together with the file: nobody can have put that there since
        return
    shared = status.st_mode & stat.S_ISVTX and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if shared and owner not in (os.geteuid(), status.st_uid):
        raise PermissionError(
            errno.EACCES,
            f"belongs to {_user(owner)}, and other users may put files into {folder}: not taken for ours "
            "(share rings in a directory that only one user writes to)",
            path,
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
