"""Who may write: the named semaphore, and what to do when the lock is not simply free.

The uncontended path is native and never comes here. The semaphore is a queue and may be lost, stuck,
posted too often or exist twice; the owner word in the ring's header is the truth. So every wait ends
after 50 ms at most, the word is tried without a token, and whoever holds it is asked for a sign of life.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import posix_ipc

from ringlog import _core, liveness
from ringlog.errors import RingRemoved, WriterBusy

FIRST_WAIT = 1_000_000  # ns; doubled up to
LONGEST_WAIT = 50_000_000
FOREVER = (1 << 63) - 1


def semaphore_name(file_id: bytes) -> str:
    """The name of a ring's semaphore: of its file's random id, so a copy has another."""
    return f"/ringlog-{file_id.hex()}"


def make_semaphore(name: str, mode: int) -> None:
    """Make the semaphore with one token, unless it exists. Its permissions follow the ring's."""
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.Semaphore(name, posix_ipc.O_CREX, mode=mode & 0o666, initial_value=1).close()
        with contextlib.suppress(OSError):  # the umask cut bits off; glibc keeps semaphores here
            os.chmod(f"/dev/shm/sem.{name[1:]}", mode & 0o666)


def remove_semaphore(name: str) -> None:
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_semaphore(name)


class Semaphore:
    """A ring's semaphore, by its native handle and by posix_ipc's, known to be one and the same."""

    def __init__(self, name: str, mode: int) -> None:
        self.name = name
        self.mode = mode
        self._open()

    def _open(self) -> None:
        for _ in range(100):
            try:
                before = _core.Semaphore(self.name)
                posix = posix_ipc.Semaphore(self.name)
                after = _core.Semaphore(self.name)
            except (FileNotFoundError, posix_ipc.ExistentialError):
                make_semaphore(self.name, self.mode)
                continue
            except (PermissionError, posix_ipc.PermissionsError):
                raise PermissionError(f"no permission to use the ring's semaphore {self.name}") from None
            # The name led to the same semaphore before and after, so in between it did too.
            if before.same(after):
                self.native, self.posix = after, posix
                return
            posix.close()
        raise OSError(f"the semaphore {self.name} is removed again and again")

    def renew(self) -> None:
        """If the name is gone or leads elsewhere by now, follow it. Raises OSError, and stays usable."""
        with contextlib.suppress(OSError):
            if _core.Semaphore(self.name).same(self.native):
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
    while True:
        left = deadline - time.monotonic_ns()
        taken, token = writer._lock_wait(max(0, min(wait, left)))
        if taken:
            semaphore.drain()
            return
        owner = writer._owner()
        if owner is not None:
            word, slot, epoch, mine = owner
            # Mine, and this thread has the turn: an interrupted call left it. Not worth a wait.
            if (mine or liveness.owner_is_dead(mapping, slot, epoch)) and writer._replace(word):
                semaphore.drain()
                return
            if left <= 0 and slot < _core.MAX_WRITERS:
                pid, start_time = mapping.writer_slot(slot)[2:4]
                raise WriterBusy(f"the write lock is held by {liveness.describe(pid, start_time)}")
            if not token:
                writer._contend(word)
        if left <= 0 and wait > FIRST_WAIT:
            raise WriterBusy("the write lock was taken by others each time it was free")
        if not token:
            if mapping.snapshot()["removed"] or not mapping.named():
                raise RingRemoved("the ring was removed")
            if wait == LONGEST_WAIT:
                renew(writer, mapping, semaphore)
            wait = min(2 * wait, LONGEST_WAIT)


def renew(writer: _core.Writer, mapping: _core.Mapping, semaphore: Semaphore) -> None:
    """Follow the semaphore's name, if the ring has not been removed: then nothing may be made again."""
    if mapping.snapshot()["removed"] or not mapping.named():
        return
    with contextlib.suppress(OSError):  # no descriptor free, say: the one in hand works, the word decides
        semaphore.renew()
    writer._set_semaphore(semaphore.native)  # also if an interrupted call has renewed it


def file_mode(fd: int) -> int:
    return os.fstat(fd).st_mode & 0o777


def boot_id() -> bytes:
    """The id of this boot of the machine; zeros where the kernel does not tell."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return bytes.fromhex(text.replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
