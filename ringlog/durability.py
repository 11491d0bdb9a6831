"""What `sync` of a Writer means: on disk always, every so often, or when asked.

The promise itself (data, then a commit record, then the publication) is kept by the native core.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

from ringlog.errors import ClosedError, WriterBusy


def sync_interval(sync: object) -> float | None:
    """Seconds between syncs; 0.0 for "always", None for "none"."""
    if sync == "none":
        return None
    if sync == "always":
        return 0.0
    if isinstance(sync, (int, float)) and not isinstance(sync, bool) and sync > 0:
        return float(sync)
    raise ValueError(f'sync must be "none", "always" or a number of seconds over 0, not {sync!r}')


def sync_name(path: str) -> None:
    """The file's name is on disk. The file itself is left to the mapping's syncs: what the kernel failed to
    write it tells once, and it is the mapping that takes note of it."""
    sync_file(os.path.dirname(os.path.realpath(path)))


def sync_file(path: str) -> None:
    """A file or a directory is on disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Syncing(Protocol):
    """What can be synced: a Writer, a LogWriter."""

    def _head(self) -> int: ...

    def _sync_now(self) -> None: ...


class Syncer:
    """A thread that syncs a writer every `interval` seconds if the head has moved since.

    It knows the writer weakly: one that nobody holds is closed, and the thread ends. `error` is the first
    failure: the thread ends with it too, and the next sync() or close() tells it.
    """

    def __init__(self, interval: float, writer: Syncing) -> None:
        self.error: Exception | None = None
        self._interval = interval
        self._writer = weakref.ref(writer)
        self._stopped = False  # a plain flag: an Event's lock could be left taken by Ctrl-C
        self._thread = threading.Thread(target=self._run, name="ringlog-sync", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        synced = -1
        due = time.monotonic() + self._interval
        while not self._stopped:
            left = due - time.monotonic()
            if left > 0:
                time.sleep(min(left, 0.05))
                continue
            try:
                synced = self._sync_if_moved(synced)
            except ClosedError:
                return
            except WriterBusy:
                pass  # somebody holds the lock for long: the next turn may be luckier
            except Exception as error:
                self.error = None if self._stopped else error
                return
            due = time.monotonic() + self._interval

    def _sync_if_moved(self, synced: int) -> int:
        writer = self._writer()
        if writer is None:
            self._stopped = True
            return synced
        head = writer._head()
        if head != synced:
            writer._sync_now()
        return head

    def stop(self) -> None:
        """Return when the thread has ended. The writer is detached: whatever it waits for, it stops."""
        self._stopped = True
        if self._thread is not threading.current_thread():
            self._thread.join()

    def raise_error(self) -> None:
        """Raise what went wrong in the thread, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error
