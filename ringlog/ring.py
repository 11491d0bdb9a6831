"""Rings as files: making and removing them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time

from ringlog import _core, liveness, lock
from ringlog.describe import describe
from ringlog.errors import CorruptStream, NameInUse, NotARing, RinglogError, StreamTruncated
from ringlog.events import RingInfo
from ringlog.files import StrPath, attach, check_header
from ringlog.slots import reader_slot

DEFAULT_CAPACITY = 16 << 20
DEFAULT_MAX_READERS = 64
LARGEST_CAPACITY = 1 << 40


def create(
    path: StrPath,
    capacity: int = DEFAULT_CAPACITY,
    *,
    max_readers: int = DEFAULT_MAX_READERS,
    mode: int = 0o600,
    exist_ok: bool = False,
) -> RingInfo:
    """Make an empty ring and return its RingInfo.

    capacity: bytes of events that it keeps, a power of two, at least 64 KiB. max_readers: how many
    lossless and named readers it can have (1 to 4096; lossy ones are not counted). mode: permissions,
    exactly these. The space is allocated now, so a full disk is an error here and not a signal later
    (some network and copy-on-write file systems promise nothing). The file appears whole or not at all.

    Raises FileExistsError (unless exist_ok: then the existing ring is described, and ValueError if a
    capacity was asked for that it does not have), ValueError (a capacity that is no power of two: the
    message names the next one), OSError (no space, no permission, or a file system on which locks do
    not exclude each other).
    """
    path = os.path.abspath(os.fspath(path))
    check_capacity(capacity)
    if isinstance(max_readers, bool) or not isinstance(max_readers, int):
        raise TypeError(f"max_readers must be an int, not {type(max_readers).__name__}")
    if not 1 <= max_readers <= _core.MAX_READERS:
        raise ValueError(f"max_readers must be 1 to {_core.MAX_READERS}, not {max_readers}")
    if not 0 <= mode <= 0o777:
        raise ValueError(f"mode must be 0 to 0o777, not {mode:#o}")
    try:
        return _build(path, capacity, max_readers, mode)
    except FileExistsError:
        if not exist_ok:
            raise
        existing = describe(attach(path, os.O_RDONLY, _core.MAP_READ, populate=False, ours=True)[0], path)
        if capacity not in (existing.capacity, DEFAULT_CAPACITY):
            raise ValueError(f"{path} has a capacity of {existing.capacity}, not {capacity}") from None
        return existing


def check_capacity(capacity: int) -> None:
    """Raise TypeError or ValueError unless a ring can have this capacity."""
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise TypeError(f"capacity must be an int, not {type(capacity).__name__}")
    if capacity > LARGEST_CAPACITY:
        raise ValueError(f"capacity {capacity} is over the largest, {LARGEST_CAPACITY}")
    if capacity < _core.MIN_CAPACITY:
        raise ValueError(f"capacity {capacity} is below the smallest, {_core.MIN_CAPACITY}")
    if capacity & (capacity - 1):
        raise ValueError(
            f"capacity {capacity} is not a power of two; the next one is {1 << capacity.bit_length()}"
        )


def _create_copy(
    path: StrPath,
    stream_id: bytes,
    start_timestamp: int,
    capacity: int = DEFAULT_CAPACITY,
    *,
    mode: int = 0o600,
    file_id: bytes | None = None,
) -> RingInfo:
    """Make an empty ring for a copy of a stream that is elsewhere: as create(), with that stream's id (16
    bytes) and start_timestamp (Unix nanoseconds), and a file id (16 bytes, random) of its own.

    Raises FileExistsError if there is a ring already, and what create() raises.
    """
    check_capacity(capacity)
    if len(stream_id) != 16:
        raise ValueError(f"a stream's id is 16 bytes, not {len(stream_id)}")
    if not 0 < start_timestamp < 1 << 63:
        raise ValueError(f"start_timestamp must be positive Unix nanoseconds, not {start_timestamp}")
    if not 0 <= mode <= 0o777:
        raise ValueError(f"mode must be 0 to 0o777, not {mode:#o}")
    origin = (stream_id, start_timestamp)
    return _build(os.path.abspath(os.fspath(path)), capacity, DEFAULT_MAX_READERS, mode, origin, file_id)


def _build(
    path: str,
    capacity: int,
    max_readers: int,
    mode: int,
    origin: tuple[bytes, int] | None = None,
    file_id: bytes | None = None,
) -> RingInfo:
    """origin: the id and the start of the stream, if it has begun elsewhere."""
    directory, name = os.path.split(path)
    if not name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if os.path.lexists(path):  # before space is taken; the link below decides
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    file_id = file_id or secrets.token_bytes(16)
    stream_id, start = origin or (secrets.token_bytes(16), None)
    header = _core.format_header(capacity, max_readers, time.time_ns(), stream_id, file_id, lock.boot_id())
    if start is not None:
        header = b"".join((header[:16], start.to_bytes(8, "little"), header[24:]))
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    temporary: str | None = None
    try:
        try:
            fd = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                raise
            # A file system without nameless files: one that nobody would look for.
            temporary = f".{name}.{file_id.hex()}"
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
            fd = os.open(temporary, flags, 0o600, dir_fd=folder)
        semaphore = lock.semaphore_name(file_id)
        try:
            _allocate(fd, len(header) + capacity, path)
            os.pwrite(fd, header, 0)
            os.fchmod(fd, mode)
            os.fsync(fd)  # before it has a name: a crash of the machine leaves a whole ring, or none
            _check_locks_exclude(fd, path)
            lock.make_semaphore(semaphore, lock.access_of(fd))
            source = temporary or f"/proc/self/fd/{fd}"
            try:
                follow = temporary is None  # the one in /proc is a link to our file
                os.link(source, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=follow)
            except BaseException:
                lock.remove_semaphore(semaphore)
                raise
            # What we made, whatever stands at the path by now.
            return describe(_core.Mapping(fd, _core.MAP_READ, populate=False), path)
        finally:
            os.close(fd)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
    finally:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        os.close(folder)


def _allocate(fd: int, size: int, path: str) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        raise OSError(
            error.errno, f"{os.strerror(error.errno or 0)}: {size} bytes for a ring", path
        ) from None


def _check_locks_exclude(fd: int, path: str) -> None:
    """Leases are locks between two opens of one file. Some network file systems don't keep them apart."""
    mapping = _core.Mapping(fd, _core.MAP_READ, populate=False)
    offset = liveness.writer_offset(0)
    lease = mapping.lease(offset)
    held = lease is not None and mapping.held(offset)
    if lease is not None:
        lease.drop()
    if not held or mapping.held(offset):
        raise OSError(errno.EOPNOTSUPP, "file locks do not work between processes here", path)


def unlink(path: StrPath) -> None:
    """Remove a ring: the file and its semaphore. Writers get RingRemoved, readers once they have read
    what is there; the memory is freed when the last of them lets go.

    Raises FileNotFoundError, PermissionError, OSError (a symbolic link: remove what it names), NotARing
    and VersionMismatch; nothing is removed then.
    """
    path = os.path.abspath(os.fspath(path))
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        writable = True
    except IsADirectoryError:
        raise NotARing(f"{path}: not a ring: a directory") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a symbolic link: remove the ring that it names", path) from None
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        writable = False
    try:
        with contextlib.suppress(StreamTruncated, CorruptStream):  # damaged ones can go too
            check_header(fd, path)
        file_id = os.pread(fd, 16, 144)
        opened = os.fstat(fd)
        now = os.lstat(path)
        if not stat.S_ISREG(now.st_mode) or (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
            raise RinglogError(f"{path}: was replaced while it was being removed")
        os.unlink(path)
        with contextlib.suppress(OSError, RinglogError):
            check_header(fd, path)
            if writable:
                _core.Mapping(fd, _core.MAP_ANNOUNCE, populate=False).mark_removed()
        lock.remove_semaphore(lock.semaphore_name(file_id))
    finally:
        os.close(fd)


def forget(path: StrPath, name: str) -> None:
    """Drop the cursor of a named reader that is gone, and free its slot.

    Raises NameInUse (its reader lives), KeyError (no such name), TimeoutError (another process has been
    stuck for ten seconds while it attaches), and what opening the ring raises.
    """
    path = os.path.abspath(os.fspath(path))
    mapping, _ = attach(path, os.O_RDWR, _core.MAP_ANNOUNCE, populate=False)
    table = liveness.take_lease(mapping, _core.TABLE_LEASE)
    try:
        for slot in range(mapping.snapshot()["max_readers"]):
            seen = reader_slot(mapping, slot)
            if seen.kept and seen.name == name:
                if mapping.held(liveness.reader_offset(slot)):
                    raise NameInUse(f"{name!r} is in use by {liveness.describe(seen.identity)}")
                # If its reader closed since we looked, or a writer noticed its death, it is parked by now.
                if not mapping.set_reader(slot, seen.epoch, seen.status, _core.SLOT_FREE):
                    mapping.set_reader(slot, seen.epoch, _core.SLOT_PARKED, _core.SLOT_FREE)
                return
    finally:
        table.drop()
    raise KeyError(name)
