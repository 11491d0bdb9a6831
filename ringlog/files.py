"""Ring files: opening, checking and mapping them, and what a restart of the machine means for one."""

from __future__ import annotations

import errno
import os
import secrets

from ringlog import _core, liveness, lock
from ringlog.errors import CorruptStream, NotARing, RingRemoved, StreamTruncated, VersionMismatch
from ringlog.shared_folders import open_ours

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


def attach(
    path: str, flags: int, mode: int, *, populate: bool = True, ours: bool = False
) -> tuple[_core.Mapping, lock.Access]:
    """Open, check and map a ring; who may use its file too. Raises OSError and what check_header does.

    ours: it is to be what we would have made, so nothing that another user has put there (shared_folders).
    """
    flags |= os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # a FIFO would block, and is no ring
    try:
        fd = open_ours(path, flags) if ours else os.open(path, flags)
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
        return mapping, lock.access_of(fd)
    finally:
        os.close(fd)


def breakage(mapping: _core.Mapping, path: str) -> Exception | None:
    """The error that says why the memory of a ring is not what it was, unless it is."""
    size, needs = mapping.file_size(), mapping.needs
    if 0 <= size < needs:
        return StreamTruncated(
            f"{path}: the file was cut while it was open: {size} of {needs} bytes are left"
        )
    if mapping.broken:
        in_memory = mapping.snapshot()["in_memory"]
        if in_memory and not _has_space(path):
            return OSError(errno.ENOSPC, "no space for a page of the ring that had been given back", path)
        if in_memory:
            return StreamTruncated(f"{path}: the file was cut while it was open, and has grown again since")
        return OSError(errno.EIO, "a page of the ring could not be read or written", path)
    if not mapping.same_stream():
        return RingRemoved(f"{path}: another stream was written over this one, in the same file")
    return None


def _has_space(path: str) -> bool:
    try:
        seen = os.statvfs(os.path.dirname(path))
    except OSError:
        return True
    return seen.f_bavail > 0


def restart_after_crash(mapping: _core.Mapping, path: str) -> None:
    """If the machine has restarted since the ring was used, go back to what is surely on disk.

    Raises CorruptStream if that is needed and the mapping is read-only.
    """
    if not outlived_its_boot(mapping):
        return
    now = lock.boot_id()
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


def outlived_its_boot(mapping: _core.Mapping) -> bool:
    """Has the machine restarted since the ring was used? False if nobody can tell: then nothing is lost."""
    now = lock.boot_id()
    then = mapping.snapshot()["boot_id"]
    return now != then and any(now) and any(then) and not _in_use(mapping)


def _in_use(mapping: _core.Mapping) -> bool:
    """Does anybody hold a lease? Nobody has survived a crash of the machine."""
    readers = mapping.snapshot()["max_readers"]
    return any(mapping.held(liveness.writer_offset(slot)) for slot in range(_core.MAX_WRITERS)) or any(
        mapping.held(liveness.reader_offset(slot)) for slot in range(readers)
    )
