"""The way of log records into a ring: how long a call may take, and what becomes of what did not get through.

While all is well a record is one append, and no Python lock is taken. The first one that can't be written in
time begins an outage: from then on a call hardly waits, since an application that logs a thousand lines a
second would otherwise stand still, and the lost ones are counted. The first that gets through again comes
behind a notice.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from ringlog.errors import ClosedError, EventTooLarge, RingFull, RingRemoved
from ringlog.files import StrPath
from ringlog.liveness import STUCK_AFTER
from ringlog.ring import check_capacity
from ringlog.writer import Writer, check_timeout

OUTAGE_PATIENCE = 0.001  # seconds that a call waits during an outage, if it was the lock that was not free
OUTAGE_PAUSE = 0.01  # seconds from one such try to the next: the calls between give up at once
REOPEN_PAUSE = 0.25  # the same, if the ring can't be opened: making one may be much work for nothing
OPEN_PATIENCE = 0.02  # seconds, at least, for others that attach at the same time: just forked workers do
OPENINGS = 3  # in a row, of rings that are gone or not ours

_outlets: weakref.WeakSet[Outlet] = weakref.WeakSet()


class _Writer(Writer):
    """One that attaches within the time that a log call has."""

    def __init__(self, path: str, capacity: int | None, timeout: float | None, patience: float) -> None:
        self._attach_patience = min(STUCK_AFTER, patience)
        super().__init__(path, capacity=capacity, timeout=timeout)


class Outlet:
    """Takes the bytes of one record after the other, from any thread, also from within itself.

    notice: makes the record that tells how many were lost. lost: how many this process has lost.
    """

    def __init__(
        self, path: StrPath, capacity: int | None, timeout: float | None, notice: Callable[[int], bytes]
    ) -> None:
        check_timeout(timeout)
        if capacity is not None:
            check_capacity(capacity)
        self.path = os.path.abspath(os.fspath(path))
        self._capacity = capacity
        self._timeout = math.inf if timeout is None else timeout
        self._notice = notice
        self._writer: _Writer | None = None
        self._begin()
        _outlets.add(self)

    def _begin(self) -> None:
        """In a new process: losses were the parent's, and so are locks that its threads hold."""
        self.lost = 0
        self._untold = 0
        self._counting = threading.Lock()
        self._turn = threading.Lock()  # of those who open, or write after an outage
        self._smooth = False  # there is a writer, and nothing special to do
        self._outage = False
        self._next_try = 0.0
        self._patience = OUTAGE_PATIENCE
        self._inside: set[int] = set()  # threads
        self._held: deque[bytes] = deque()  # what came up while its thread was inside

    def after_fork(self) -> None:
        self._begin()
        self._writer = None  # it was the parent's

    def open(self) -> None:
        """Open the ring now, made if it is not there. No log call waits for this, so it takes its time, as a
        Writer does. Raises what Writer raises."""
        with self._turn:
            if self._writer is None:
                self._writer = self._opened(math.inf)
                self._smooth = True

    def send(self, data: bytes) -> None:
        """Publish a record, within the timeout; counted if that fails.

        Raises what stopped it, but only for the first of an outage, and for one that is too large.
        """
        me = threading.get_ident()
        if me in self._inside:  # a signal handler or a finalizer logs, or something in ringlog does
            self._held.append(data)  # the call that it interrupted sends it
            return
        record: bytes | None = data
        while record is not None:
            try:
                self._inside.add(me)
                self._put(record)
            finally:
                self._inside.discard(me)
            record = self._next_held()

    def flush(self) -> None:
        """Send what is held, and tell a loss that was not told yet, if it can be done in time."""
        if threading.get_ident() in self._inside:
            return
        with contextlib.suppress(Exception):  # it is counted, and stays untold
            while (record := self._next_held()) is not None:
                self.send(record)
        if self._untold:
            me = threading.get_ident()
            try:
                self._inside.add(me)
                with contextlib.suppress(Exception):
                    self._put_slowly(None, self._timeout)
            finally:
                self._inside.discard(me)

    def close(self) -> None:
        """Flush, and let go of the ring. A record that comes later opens it again."""
        try:
            self.flush()
        finally:
            self._smooth = False
            writer, self._writer = self._writer, None
            if writer is not None:
                with contextlib.suppress(ClosedError):  # inside it, below us: it closes when it is collected
                    _close(writer)

    def _next_held(self) -> bytes | None:
        try:
            return self._held.popleft()
        except IndexError:
            return None

    # ---- inside, one thread not twice ----

    def _put(self, data: bytes) -> None:
        writer = self._writer
        if writer is not None and self._smooth:
            try:
                writer.append(data)
                return
            except (RingRemoved, ClosedError):
                pass  # another ring has its place, or we are in a process that was forked
            except EventTooLarge:
                self._count()
                raise
            except BaseException as error:
                self._fail(error)
                raise
        if not self._outage:
            self._put_slowly(data, self._timeout)
        elif time.monotonic() < self._next_try:
            self._count()
        else:
            self._put_slowly(data, min(self._patience, self._timeout))

    def _put_slowly(self, data: bytes | None, patience: float) -> None:
        """Open the ring if need be, tell what was lost, and publish."""
        deadline = time.monotonic() + patience
        turn = self._turn  # a signal handler may fork: then the child comes back here, and has another one
        if not turn.acquire(timeout=-1 if patience == math.inf else patience):
            self._count(data)
            return
        known = self._outage
        try:
            self._write(data, deadline)
        except EventTooLarge:
            self._count(data)
            raise
        except BaseException as error:
            self._fail(error, data)
            if not known or not isinstance(error, Exception):
                raise
        finally:
            turn.release()

    def _write(self, data: bytes | None, deadline: float) -> None:
        for attempt in range(OPENINGS):
            try:
                if self._writer is None:
                    self._writer = self._opened(deadline - time.monotonic())
                self._try(self._writer, data, deadline)
                return
            except (RingRemoved, ClosedError):
                writer, self._writer = self._writer, None
                if writer is not None:
                    _close(writer)
                if attempt == OPENINGS - 1:
                    raise

    def _try(self, writer: _Writer, data: bytes | None, deadline: float) -> None:
        try:
            if lost := self._untold:
                writer._set_timeout(_seconds(deadline - time.monotonic()))
                writer.append(self._notice(lost))
                with self._counting:
                    self._untold -= lost
            if data is not None:
                writer._set_timeout(_seconds(deadline - time.monotonic()))
                writer.append(data)
        finally:
            writer._set_timeout(_seconds(self._timeout))
        self._outage = False
        self._smooth = True

    def _opened(self, patience: float) -> _Writer:
        return _Writer(self.path, self._capacity, _seconds(self._timeout), max(OPEN_PATIENCE, patience))

    def _fail(self, error: BaseException, data: bytes | None = b"") -> None:
        """An outage begins, or goes on."""
        self._smooth = False
        self._outage = True
        if not isinstance(error, TimeoutError) and isinstance(error, Exception):  # the ring itself is unfit
            writer, self._writer = self._writer, None
            if writer is not None:
                _close(writer)
        # Room is there or it is not, and on a busy machine who sleeps for 1 ms is back after 10.
        self._patience = 0.0 if isinstance(error, RingFull) else OUTAGE_PATIENCE
        pause = REOPEN_PAUSE if self._writer is None else OUTAGE_PAUSE
        self._next_try = time.monotonic() + pause
        self._count(data)

    def _count(self, data: bytes | None = b"") -> None:
        if data is None:
            return
        with self._counting:
            self.lost += 1
            self._untold += 1


def _seconds(span: float) -> float | None:
    return None if span == math.inf else max(0.0, span)


def _close(writer: Writer) -> None:
    with contextlib.suppress(Exception):  # of a ring that is gone or damaged
        writer.close()


def _after_fork() -> None:
    for outlet in list(_outlets):
        outlet.after_fork()


os.register_at_fork(after_in_child=_after_fork)
