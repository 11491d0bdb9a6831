"""A ring for a test, with everything that was opened on it, closed and removed at the end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ringlog.describe import info
from ringlog.errors import RinglogError
from ringlog.events import RingInfo
from ringlog.reader import Reader
from ringlog.ring import create, unlink
from ringlog.testing.places import Folder
from ringlog.writer import Writer

if TYPE_CHECKING:
    from typing_extensions import Self

SMALL = 1 << 16  # the smallest ring: quick to make, and quickly full


class TemporaryRing:
    """A ring in a folder of its own, and what was opened on it.

    capacity: bytes, a power of two, 64 KiB by default; max_readers: as for `ringlog.create`. fallback: where
    to put it if /dev/shm can't be used (default: the system's temporary directory). Wherever a path is taken
    the object can be given itself.

    Use it as a context manager, or call `close`. A process that is killed leaves its rings behind; the next
    TemporaryRing of the same user removes them. A forked child must not close it.

    Raises ValueError (capacity, max_readers) and OSError (no space, no place).
    """

    path: str

    def __init__(self, capacity: int = SMALL, *, max_readers: int = 64, fallback: Path | None = None) -> None:
        self._opened: list[Reader | Writer] = []
        self._folder = Folder(fallback)
        self.path = str(self._folder.path / "ring")
        try:
            create(self.path, capacity, max_readers=max_readers)
        except BaseException:
            self._folder.remove()
            raise

    def writer(self, **options: Any) -> Writer:
        """A `ringlog.Writer` on this ring, closed at the end if it is not before. `timeout` is 20 seconds
        unless it is given: a test that waits for ever tells nobody anything. Raises as Writer."""
        writer = Writer(self.path, **{"timeout": 20.0, **options})
        self._opened.append(writer)
        return writer

    def reader(self, **options: Any) -> Reader:
        """A `ringlog.Reader` on this ring, closed at the end if it is not before. It starts at the oldest
        event unless `start` is given. Raises as Reader."""
        reader = Reader(self.path, **{"start": "oldest", **options})
        self._opened.append(reader)
        return reader

    def info(self) -> RingInfo:
        """As `ringlog.info`: who writes and reads, and how far they are."""
        return info(self.path)

    def close(self) -> None:
        """Close what was opened, and remove the ring, its semaphore and its folder. Twice does nothing.

        Open claims are dropped and open views ended. Blocks while another thread is inside a call of a Writer
        of it. Whatever it meets, the ring is removed; then it raises what closing a Writer or Reader raised.
        """
        with contextlib.ExitStack() as ends:
            ends.callback(self._folder.remove)
            ends.callback(self._unlink)
            for each in self._opened:
                ends.callback(_close, each)
            self._opened = []

    def _unlink(self) -> None:
        with contextlib.suppress(RinglogError, OSError):  # the test has removed or damaged it
            unlink(self.path)

    def __fspath__(self) -> str:
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"


def _close(opened: Reader | Writer) -> None:
    if isinstance(opened, Writer):
        opened._drop_claim()
    else:
        opened._drop_views()
    opened.close()
