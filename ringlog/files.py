"""Ring files: opening, checking and mapping them, and what a restart of the machine means for one."""

from __future__ import annotations

import errno
import os
import secrets

from ringlog import _core, liveness, lock
from ringlog.errors import CorruptStream, NotARing, StreamTruncated, VersionMismatch

StrPath = str | os.PathLike[str]


def check_header(fd: int, path: str) -> None:
    """Raise the error that says why the file behind fd is no ring that we can use."""
    status, why, version = _core.probe_header(fd)
    if status == _core.STATUS_NOT_RING:
        raise NotARing(f"{path}: not a ring: {why}")
    if status == _core.STATUS_OTHER_VERSION:
        raise VersionMismatch(
            f"{path}: {why} {version if why == 'format version' else ''}".rstrip()
            + f", but this release knows version {_core.VERSION}"
        )
    if status == _core.STATUS_TRUNCATED:
        raise StreamTruncated(f"{path}: {why}: {os.fstat(fd).st_size} bytes are left")
    if status != _core.STATUS_OK:
        raise CorruptStream(f"{path}: the header is damaged: {why}")


def attach(path: str, flags: int, mode: int, *, populate: bool = True) -> tuple[_core.Mapping, int]:
    """Open, check and map a ring; its file's permissions too. Raises OSError and what check_header does."""
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would block, and is no ring
    except IsADirectoryError:
        raise NotARing(f"{path}: not a ring: a directory") from None
    try:
        check_header(fd, path)
        try:
            mapping = _core.Mapping(fd, mode, populate=populate)
        except OSError as error:
            if error.errno == errno.EINVAL:  # it looks for itself: the header is not what it was a moment ago
                check_header(fd, path)
            raise
        return mapping, lock.file_mode(fd)
    finally:
        os.close(fd)


def restart_after_crash(mapping: _core.Mapping, path: str) -> None:
    """If the machine has restarted since the ring was used, go back to what is surely on disk.

    Raises CorruptStream if that is needed and the mapping is read-only.
    """
    now = lock.boot_id()
    then = mapping.snapshot()["boot_id"]
    if now == then or not any(now) or not any(then) or _in_use(mapping):
        return  # or nobody can tell: then nothing is thrown away
    if mapping.mode == _core.MAP_READ:
        raise CorruptStream(
            f"{path}: the machine has restarted since it was written; a Writer has to open it first"
        )
    lease = liveness.take_lease(mapping, _core.RESTART_LEASE)
    try:
        if mapping.snapshot()["boot_id"] != now and not _in_use(mapping):
            mapping.restart(secrets.token_bytes(16), now)
    finally:
        lease.drop()


def _in_use(mapping: _core.Mapping) -> bool:
    """Does anybody hold a lease? Nobody has survived a crash of the machine."""
    readers = mapping.snapshot()["max_readers"]
    return any(mapping.held(liveness.writer_offset(slot)) for slot in range(_core.MAX_WRITERS)) or any(
        mapping.held(liveness.reader_offset(slot)) for slot in range(readers)
    )
