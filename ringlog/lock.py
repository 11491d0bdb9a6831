"""Who may write: the named semaphore, and what to do when the lock is not simply free.

The uncontended path is native and never comes here. The semaphore is a queue and may be lost, stuck,
posted too often or exist twice; the owner word in the ring's header is the truth. So every wait ends
after 50 ms at most, the word is tried without a token, and whoever holds it is asked for a sign of life.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import NamedTuple

import posix_ipc

from ringlog import _core, liveness, slots
from ringlog.errors import RingRemoved, WriterBusy

try:
    _KEPT_AT = "/dev/shm/sem." if os.confstr("CS_GNU_LIBC_VERSION") else "/dev/shm/"
except (ValueError, OSError):  # no glibc
    _KEPT_AT = "/dev/shm/"
FIRST_WAIT = 1_000_000  # ns; doubled up to
LONGEST_WAIT = 50_000_000
FOREVER = (1 << 63) - 1
TOO_MANY = 64  # tokens in a row that won nothing: the semaphore holds more than one
NAP = 0.0002  # seconds until the next try then; an owner that was asked for a turn steps back for longer


def semaphore_name(file_id: bytes) -> str:
    """The name of a ring's semaphore: of its file's random id, so a copy has another."""
    return f"/ringlog-{file_id.hex()}"


class Access(NamedTuple):
    """Who may use a ring's file, and so its semaphore."""

    mode: int
    uid: int
    gid: int

    def trusts(self, semaphore: os.stat_result) -> bool:
        """Was this semaphore made by one who may write the ring? Whoever owns it could cut it, which ends its
        users with a signal."""
        if not stat.S_ISREG(semaphore.st_mode):
            return False
        return semaphore.st_uid in (self.uid, 0, os.geteuid()) or bool(self.mode & 0o022)


def access_of(fd: int) -> Access:
    status = os.fstat(fd)
    return Access(status.st_mode & 0o777, status.st_uid, status.st_gid)


def make_semaphore(name: str, access: Access) -> None:
    """Make the semaphore with one token, unless it exists. It appears with the ring's permissions and, as far
    as we may give it away, the ring's owner and group: whoever may write the ring can use it."""
    ours = f"{name}.{secrets.token_hex(8)}"
    posix_ipc.Semaphore(ours, posix_ipc.O_CREX, mode=access.mode & 0o666, initial_value=1).close()
    try:
        file = file_of(ours)
        with contextlib.suppress(PermissionError):
            os.chown(file, -1, access.gid)
        with contextlib.suppress(PermissionError):
            os.chown(file, access.uid, -1)
        with contextlib.suppress(PermissionError):  # given away: then it had the bits that the umask left
            os.chmod(file, access.mode & 0o666)  # the umask cut some off
        with contextlib.suppress(FileExistsError):
            os.link(file, file_of(name))
    finally:
        posix_ipc.unlink_semaphore(ours)


def remove_semaphore(name: str) -> None:
    """Nothing, if there is none, or something of another user in its place."""
    with contextlib.suppress(posix_ipc.Error, OSError):
        posix_ipc.unlink_semaphore(name)


def file_of(name: str) -> str:
    """Where the C library keeps the semaphore of this name."""
    return _KEPT_AT + name[1:]


class Semaphore:
    """A ring's semaphore, by its native handle and by posix_ipc's, known to be one and the same.

    If what has its name is not to be used (another user has put it there) it is one of our own instead, and
    without a name: the semaphore is only the queue, and every wait for it is short. is_private says so.
    """

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self.access = access
        self.is_private = False
        self._open()

    def _open(self) -> None:
        for _ in range(100):
            posix: posix_ipc.Semaphore | None = None
            try:
                first = self._trusted_inode()
                before = _core.Semaphore(self.name)
                posix = posix_ipc.Semaphore(self.name)
                after = _core.Semaphore(self.name)
                last = self._trusted_inode()
            except (FileNotFoundError, posix_ipc.ExistentialError):
                if posix is not None:
                    posix.close()
                make_semaphore(self.name, self.access)
                continue
            except (OSError, posix_ipc.Error):
                if posix is not None:
                    posix.close()
                return self._open_private()
            # The name led to the same semaphore before and after, so in between it did too; and nobody can
            # have put another one there and the trusted one back, since that was not his to remove.
            if before.same(after) and last == first:
                self.native, self.posix, self.is_private = after, posix, False
                return None
            posix.close()
        return self._open_private()  # it is removed again and again

    def _trusted_inode(self) -> int:
        """Raises FileNotFoundError, and PermissionError if it is not to be trusted."""
        status = os.lstat(file_of(self.name))
        if not self.access.trusts(status):
            raise PermissionError(f"the semaphore {self.name} is another user's")
        return status.st_ino

    def _open_private(self) -> None:
        name = f"/ringlog-{secrets.token_hex(16)}"
        make_semaphore(name, Access(0o600, os.geteuid(), os.getegid()))
        try:
            self.native, self.posix, self.is_private = _core.Semaphore(name), posix_ipc.Semaphore(name), True
        finally:
            remove_semaphore(name)

    def renew(self) -> None:
        """If the name is gone or leads elsewhere by now, follow it. Raises OSError, and stays usable."""
        try:
            self._trusted_inode()
            if _core.Semaphore(self.name).same(self.native):
                return
        except FileNotFoundError:
            pass
        except OSError:
            if self.is_private:
                return
        old = self.posix
        self._open()  # first: whatever interrupts us, there is one that is open
        old.close()

    def drain(self) -> None:
        """Take out surplus tokens. Only the holder of the lock may: its post will bring the one."""
        with contextlib.suppress(posix_ipc.BusyError):
            for _ in range(1000):
                self.posix.acquire(0)

    def close(self) -> None:
        self.posix.close()


def acquire(writer: _core.Writer, mapping: _core.Mapping, semaphore: Semaphore, deadline: int) -> None:
    """Take the lock for `writer`, whose turn this thread has, by `deadline` (monotonic ns).

    Raises WriterBusy, naming the holder, and RingRemoved. After a holder that was killed, the ring is put
    in order.
    """
    wait = FIRST_WAIT
    swallowed = 0
    while True:
        left = deadline - time.monotonic_ns()
        taken, token = writer._lock_wait(max(0, min(wait, left)))
        if taken:
            semaphore.drain()
            return
        swallowed = swallowed + 1 if token else 0
        if swallowed > TOO_MANY:
            token = False  # it tells nothing: the next one is there already
            time.sleep(max(0.0, min(NAP, left / 1e9)))
        owner = writer._owner()
        if owner is not None:
            word, slot, epoch, mine = owner
            # Mine, and this thread has the turn: an interrupted call left it. Not worth a wait.
            if (mine or liveness.owner_is_dead(mapping, slot, epoch)) and writer._replace(word):
                semaphore.drain()
                return
            if left <= 0:
                raise WriterBusy(f"the write lock is held by {_holder(mapping, slot)}")
            if not token:
                writer._contend(word)
        elif left <= 0 and wait > FIRST_WAIT:
            raise WriterBusy("the write lock was taken by others each time it was free")
        if not token:
            if mapping.snapshot()["removed"] or not mapping.named():
                raise RingRemoved("the ring was removed")
            if wait == LONGEST_WAIT:
                renew(writer, mapping, semaphore)
            wait = min(2 * wait, LONGEST_WAIT)


def _holder(mapping: _core.Mapping, slot: int) -> str:
    if slot >= _core.MAX_WRITERS:
        return "nobody that there is: the owner word is damaged"
    return liveness.describe(slots.writer_slot(mapping, slot).identity)


def renew(writer: _core.Writer, mapping: _core.Mapping, semaphore: Semaphore) -> None:
    """Follow the semaphore's name, if the ring has not been removed: then nothing may be made again."""
    if mapping.snapshot()["removed"] or not mapping.named():
        return
    with contextlib.suppress(OSError):  # no descriptor free, say: the one in hand works, the word decides
        semaphore.renew()
    writer._set_semaphore(semaphore.native)  # also if an interrupted call has renewed it


def boot_id() -> bytes:
    """The id of this boot of the machine; zeros where the kernel does not tell."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return bytes.fromhex(text.replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
