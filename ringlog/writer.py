"""Writer: opening, policy and errors. The hot methods are inherited from the native core."""

from __future__ import annotations

import contextlib
import os
import warnings
from types import TracebackType
from typing import Any, Literal

from ringlog import _core, durability, files, liveness, lock, ring, slots
from ringlog.errors import (
    ClosedError,
    CorruptStream,
    EventTooLarge,
    RingFull,
    RingRemoved,
    StreamEnded,
    WriterBusy,
)

CLEAN_PATIENCE = 0.5  # seconds that a closing writer waits for one that attaches


class Writer(_core.Writer):
    """The writing end of a ring.

    path: the ring; created if missing, with `capacity` (default 16 MiB). capacity: if given, it must be
    the ring's. lock: "append" takes the write lock for each append or batch, so that threads and even
    several processes share the writer's role; "session" takes it once, from open to close. timeout:
    seconds that an append (or, for a session, opening) waits for the lock or for a lossless reader; None
    waits for ever. sync: "none" leaves the disk to the kernel; "always" has every append on disk before
    it returns and before readers see it; a number of seconds syncs that often.

    Use it as a context manager. Several threads may share one: they take turns. Pickling it (to a
    spawned process) passes the arguments; the copy opens the ring by path. A forked child must open its
    own: using the parent's raises ClosedError.

    Raises NotARing, VersionMismatch, StreamTruncated, CorruptStream, OSError, WriterBusy (the lock; or
    64 writers are attached), TimeoutError (another process has been stuck for ten seconds while it attaches),
    ValueError (capacity, or sync on a file system in memory).
    """

    _creates = True  # a ring that is missing
    _attach_patience: float | None = None  # seconds for another process that is stuck while it attaches

    def __init__(
        self,
        path: files.StrPath,
        *,
        capacity: int | None = None,
        lock: Literal["append", "session"] = "append",
        timeout: float | None = None,
        sync: Literal["none", "always"] | float = "none",
    ) -> None:
        if lock not in ("append", "session"):
            raise ValueError(f'lock must be "append" or "session", not {lock!r}')
        if capacity is not None:
            ring.check_capacity(capacity)
        check_timeout(timeout)
        self._interval = durability.sync_interval(sync)
        self._arguments: dict[str, Any] = {
            "capacity": capacity,
            "lock": lock,
            "timeout": timeout,
            "sync": sync,
        }
        self._name_synced = False
        self._pid = os.getpid()
        self._path = os.path.abspath(os.fspath(path))
        self._syncer: durability.Syncer | None = None
        self._mapping, access = self._open(capacity)
        try:
            self._semaphore = _open_semaphore(self._mapping, access)
            self._slot, self._epoch, self._lease = slots.claim_writer(self._mapping, self._attach_patience)
        except BaseException:
            del self._mapping
            raise
        try:
            always, synced = sync == "always", self._interval is not None
            self._attach(self._mapping, self._slot, self._epoch, timeout, always, synced)
            self._set_semaphore(self._semaphore.native)
            if lock == "session":
                self._begin_session()
            if self._interval:
                self._syncer = durability.Syncer(self._interval, self)
        except BaseException:
            self._release()
            raise

    def _open(self, capacity: int | None) -> tuple[_core.Mapping, lock.Access]:
        created = False
        for _ in range(100):
            try:
                mapping, access = files.attach(self._path, os.O_RDWR, _core.MAP_WRITE, ours=True)
            except FileNotFoundError:
                if not self._creates:
                    raise
                with contextlib.suppress(FileExistsError):  # somebody else was faster: open theirs
                    ring.create(self._path, capacity or ring.DEFAULT_CAPACITY)
                    created = True
                continue
            seen = mapping.snapshot()
            if capacity is not None and capacity != seen["capacity"]:
                raise ValueError(
                    f"{self._path} has a capacity of {seen['capacity']}, not {capacity}: "
                    "leave it out, or unlink the ring"
                )
            if self._interval is not None:
                if seen["in_memory"]:
                    if created:
                        ring.unlink(self._path)
                    raise ValueError(f"{self._path}: sync on a file system in memory can keep nothing")
                durability.sync_name(self._path)
                self._name_synced = True
            files.restart_after_crash(mapping, self._path)
            return mapping, access
        raise RingRemoved(f"{self._path}: is removed again and again")

    # ---- what the native half asks ----

    def _lock(self, deadline: int) -> None:
        lock.acquire(self, self._mapping, self._semaphore, deadline)

    def _renew(self) -> None:
        lock.renew(self, self._mapping, self._semaphore)

    def _reap(self, slot: int) -> bool:
        return slots.retire_if_dead(self._mapping, slot)

    def _unusable(self) -> None:
        state = self._state
        if state == "forked":
            raise ClosedError(
                f"this Writer belongs to process {self._pid}, which forked this one: open another here"
            )
        if state == "ended":
            raise StreamEnded(f"{self._path}: this Writer has ended the stream; another Writer may go on")
        raise ClosedError("this Writer is closed")

    def _removed(self) -> None:
        raise RingRemoved(f"{self._path}: the ring was removed")

    def _broken(self) -> None:
        raise files.breakage(self._mapping, self._path) or CorruptStream(f"{self._path}: memory was missing")

    def _corrupt(self) -> None:
        if error := files.breakage(self._mapping, self._path):
            raise error
        raise CorruptStream(f"{self._path}: head, tail and entries contradict each other")

    def _corrupt_run(self, offset: int, why: str) -> None:
        raise CorruptStream(f"{self._path}: a run that was to be appended is damaged at byte {offset}: {why}")

    def _too_large(self, size: int, limit: int, batch: bool) -> None:
        what = "a batch with its 16-byte entries" if batch else "an event"
        raise EventTooLarge(
            f"{what} can have {limit} bytes in this ring, not {size}: "
            f"{'append fewer at once, or ' if batch else ''}make a ring of a larger capacity"
        )

    def _ring_full(self, slot: int) -> None:
        seen = slots.reader_slot(self._mapping, slot)
        name = f"{seen.name!r}, " if seen.name else ""
        who = f"{name}{liveness.describe(seen.identity)}"
        raise RingFull(
            f"no room: the reader {who} is behind: let it read on, close it, or make a larger ring"
        )

    def _session_lost(self) -> None:
        raise WriterBusy(f"{self._path}: the write lock was taken from this Writer")

    def _busy_thread(self) -> None:
        raise WriterBusy("another thread is writing with this Writer")

    def _reentered(self) -> None:
        raise WriterBusy("this thread is inside a claim or another call of this Writer: leave that first")

    def _claim_over(self) -> None:
        raise ClosedError("this claim is over: its block was left; make another")

    def _claim_held(self) -> None:
        raise BufferError(
            "something still holds the claim's memory (an array made on it? delete it in the block): "
            "nothing was published, and what holds it has a private copy"
        )

    # ---- the rest of the API ----

    def sync(self) -> None:
        """What was appended before is on disk, and will be found after a crash of the machine.

        Blocks for the lock, up to the timeout, and for the disk. Raises ValueError on a file system in
        memory, OSError if the disk fails, WriterBusy, ClosedError.
        """
        if self._state != "open":
            self._unusable()
        if self._mapping.snapshot()["in_memory"]:
            raise ValueError(f"{self._path}: sync on a file system in memory can keep nothing")
        if self._syncer is not None:
            self._syncer.raise_error()
        self._sync_now()
        if not self._name_synced:
            durability.sync_name(self._path)
            self._name_synced = True

    def end(self) -> None:
        """End the stream: readers stop after the last event. Waiting ones are woken.

        This Writer is then done; a later one may go on. Blocks for the lock. Raises WriterBusy,
        RingRemoved, ClosedError.
        """
        if self._state == "ended":
            self._unusable()
        self._with_lock(self._end_stream)

    def close(self) -> None:
        """Let go of the ring; closing twice does nothing. Waits for other threads inside this Writer,
        whose calls raise ClosedError. With `sync` set it syncs first."""
        if not hasattr(self, "_mapping"):
            return
        if self._state == "forked":
            self._detach()
            del self._mapping
            return
        try:
            if self._interval is not None and self._state in ("open", "ended"):
                self._close_clean()
        finally:
            self._release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_mapping"):
            if self._state != "forked":
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self._drop_claim()
            with contextlib.suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"<ringlog.Writer {self._path!r} {self._state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self._path, self._arguments)

    # ---- inside ----

    def _head(self) -> int:
        return self._mapping.snapshot()["write_offset"]

    def _sync_now(self) -> None:
        self._with_lock(self._commit)

    def _close_clean(self) -> None:
        """Sync; and the last one out notes that everything is on disk."""
        with contextlib.suppress(RingRemoved, ClosedError):  # closed: by another thread
            self._with_lock(self._commit_clean)
        if self._syncer is not None:
            self._syncer.raise_error()

    def _commit_clean(self) -> None:
        self._commit()
        # Nobody waits for a lock while holding this lease. But its holder may be stopped, and we hold a lock.
        try:
            table = liveness.take_lease(self._mapping, _core.TABLE_LEASE, CLEAN_PATIENCE)
        except TimeoutError:
            return  # the mark spares a stream its new id after a crash; the record that counts is on disk
        try:
            others = (slot for slot in range(_core.MAX_WRITERS) if slot != self._slot)
            if not any(self._mapping.held(liveness.writer_offset(slot)) for slot in others):
                self._stop()  # no append of ours can come behind this
                self._mapping.set_clean(True)
        finally:
            table.drop()

    def _end_stream(self) -> None:
        if not self._mapping.same_stream():
            self._corrupt()
        self._mapping.end()
        self._set_ended()

    def _release(self) -> None:
        if not hasattr(self, "_mapping"):
            return
        self._detach()
        mapping = self.__dict__.pop("_mapping", None)
        if mapping is None:
            return  # a second thread in here was faster
        if self._syncer is not None:
            self._syncer.stop()
        mapping.free_writer(self._slot, self._epoch)
        self._lease.drop()
        self._semaphore.close()


def _reopen(kind: type[Writer], path: str, arguments: dict[str, Any]) -> Writer:
    return kind(path, **arguments)


def check_timeout(timeout: object) -> None:
    """Before anything is made. NaN is not 0 or more either."""
    if timeout is None:
        return
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be None or a number of seconds, not {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout must be None or 0 or more seconds, not {timeout}")


def _open_semaphore(mapping: _core.Mapping, access: lock.Access) -> lock.Semaphore:
    return lock.Semaphore(lock.semaphore_name(mapping.snapshot()["file_id"]), access)
