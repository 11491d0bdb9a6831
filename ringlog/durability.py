"""What `sync` of a Writer means: on disk always, every so often, or when asked.

The promise itself (data, then a commit record, then the publication) is kept by the native core.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ringlog.errors import WriterBusy


def sync_interval(sync: object) -> float | None:
    """Seconds between syncs; 0.0 for "always", None for "none"."""
    if sync == "none":
        return None
    if sync == "always":
        return 0.0
    if isinstance(sync, (int, float)) and not isinstance(sync, bool) and sync > 0:
        return float(sync)
    raise ValueError(f'sync must be "none", "always" or a number of seconds over 0, not {sync!r}')


def sync_directory(path: str) -> None:
    """The file's name is on disk too."""
    for name, flags in ((path, os.O_RDONLY), (os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)):
        fd = os.open(name, flags | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class Syncer:
    """A thread that syncs every `interval` seconds if the head has moved since.

    `error` is the first failure: the thread ends with it, and the next sync() or close() tells it.
    """

    def __init__(self, interval: float, head: Callable[[], int], sync: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self._interval = interval
        self._head = head
        self._sync = sync
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringlog-sync", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        synced = -1
        while not self._stop.wait(self._interval):
            head = self._head()
            if head == synced:
                continue
            try:
                self._sync()
                synced = head
            except WriterBusy:
                continue  # somebody holds the lock for long: the next turn may be luckier
            except Exception as error:
                self.error = error
                return

    def stop(self) -> None:
        """Return when the thread has ended."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def raise_error(self) -> None:
        """Raise what went wrong in the thread, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error
