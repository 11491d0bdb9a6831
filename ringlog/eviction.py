"""Eviction: a person decides that a process which lives, but does not go on, shall hold a ring up no longer.

No timeout ever takes anything from a living process, because nobody can know where it was stopped: between
the last look and the store, say, and then it would go on writing beside its successor. So the only safe
eviction is that it never goes on. It is killed, and what it held is the dead's, for whom there are rules.
docs/decisions/0013 has the reasons.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from ringlog import _core, describe, files, liveness, slots, users
from ringlog.errors import RinglogError
from ringlog.events import ReaderInfo, WriterInfo


@dataclass(frozen=True)
class Target:
    """Who is to go: the holder of a slot, and what was seen of it."""

    slot: int
    epoch: int
    identity: liveness.Identity
    info: WriterInfo | ReaderInfo

    @property
    def lease(self) -> int:
        is_writer = isinstance(self.info, WriterInfo)
        return (liveness.writer_offset if is_writer else liveness.reader_offset)(self.slot)


class Ring:
    """A ring, opened to evict somebody from it.

    Raises what opening a ring raises; write permission is needed.
    """

    def __init__(self, path: files.StrPath) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._mapping, _ = files.attach(self.path, os.O_RDWR, _core.MAP_ANNOUNCE, populate=False)
        self._places = users.place_of(self.path)

    def lock_holder(self) -> Target:
        """The living writer that holds the write lock. Raises RinglogError: nobody does, or a dead one."""
        ring = self._mapping.snapshot()
        slot, epoch = describe.owner_of(ring["owner"])
        if not ring["owner"]:
            raise RinglogError(f"{self.path}: nobody holds the write lock")
        info = describe.writers_of(self._mapping, ring).get((slot, epoch))
        if info is None or not info.leased:
            raise RinglogError(f"{self.path}: who held the write lock is dead: the next writer goes on")
        return Target(slot, epoch, slots.writer_slot(self._mapping, slot).identity, info)

    def reader(self, who: str) -> Target:
        """The living lossless reader of this name, or else pid. Raises RinglogError: there is none."""
        found = describe.readers_of(self.path, self._mapping, self._mapping.snapshot())
        named = [place for place, info in found.items() if info.name == who]
        places = named or [place for place, info in found.items() if str(info.pid) == who]
        alive = [place for place in places if found[place].leased]
        if not alive:
            gone = "is gone, and holds nobody up" if places else "is not known here"
            raise RinglogError(f"{self.path}: the reader {who} {gone}")
        slot, epoch = alive[0]
        return Target(slot, epoch, slots.reader_slot(self._mapping, slot).identity, found[alive[0]])

    def evict(self, target: Target, timeout: float = 10.0) -> None:
        """Kill the process (SIGKILL), and return when it holds nothing any more.

        Only if it is surely the one that was meant: the pid stands in the slot, started when the slot says,
        the slot is still its own, and it has this ring mapped. timeout: seconds to wait for its end.
        Raises RinglogError (it is not, or is gone already), PermissionError, TimeoutError (the kernel has not
        ended it yet), OSError.
        """
        identity = target.identity
        if identity.pid == os.getpid():
            raise RinglogError("a process does not evict itself: close what you have open")
        try:
            process = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            raise RinglogError(f"pid {identity.pid} is not visible from here: end it where it runs") from None
        try:
            # From here on the descriptor means one process for good, whatever becomes of its number.
            with contextlib.suppress(ProcessLookupError):  # it ends by itself just now
                signal.pidfd_send_signal(process, 0)  # may we?
                self._check(target)
                signal.pidfd_send_signal(process, signal.SIGKILL)
            self._wait(target, timeout)
        finally:
            os.close(process)

    def _check(self, target: Target) -> None:
        identity = target.identity
        if liveness.seen_as(identity) is None:
            raise RinglogError(f"{liveness.describe(identity)}: not the process that opened the ring")
        if not self._holds(target):
            raise RinglogError(f"pid {identity.pid} has let go by itself: nothing was done")
        if not self._places & users.mapped(identity.pid):
            raise RinglogError(f"pid {identity.pid} does not have {self.path} mapped: nothing was done")

    def _holds(self, target: Target) -> bool:
        is_writer = isinstance(target.info, WriterInfo)
        slot = (slots.writer_slot if is_writer else slots.reader_slot)(self._mapping, target.slot)
        return slot.epoch == target.epoch and self._mapping.held(target.lease)

    def _wait(self, target: Target, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self._holds(target):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{liveness.describe(target.identity)} was killed, but the kernel has not ended it yet: "
                    "it may be frozen, or wait for a device"
                )
            time.sleep(0.001)
        if isinstance(target.info, ReaderInfo):
            with contextlib.suppress(OSError):  # the writer would find out by itself
                slots.retire_if_dead(self._mapping, target.slot)
