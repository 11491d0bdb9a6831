"""RingHandler: the writing end."""

from __future__ import annotations

import logging
import os
from typing import Any, Literal

from ringlog._logging import forms
from ringlog._logging.outlet import Outlet
from ringlog.files import StrPath

_plain_formatter = logging.Formatter()


class RingHandler(logging.Handler):
    """A logging handler that writes into a ring: any number of processes, threads and handlers into one.

    path: the ring, made if it is not there. capacity: its size in bytes if it is made here (default 16 MiB);
    if it is there, it must have this one. timeout: seconds that a log call may wait for others or for a
    reader that is behind; None waits for ever. form: "json", whole records for a RingListener (message with
    its arguments, traceback, `extra`, names of process and thread, ...; the formatter is only asked for
    tracebacks), or "text", what the formatter makes of them. delay: open the ring with the first record, not
    now.

    A record that could not be written in time is lost, counted in `lost`, and told in the stream by a warning
    as soon as something can be written again. During such an outage calls hardly wait: at most 1 ms, each
    10 ms. `handleError` is called for the first one of an outage, and as always for records that can't be
    formatted or are too large. Threads that log at once may wait for each other, and so twice as long.

    A forked child opens the ring anew with its first record, and a pickled copy (in a spawned process) too:
    that call takes some milliseconds more. If the ring is removed, it is made again. What is logged while
    this thread is inside the handler (by a signal handler, a finalizer) is written right behind. There is no
    handler lock: `emit` of a subclass may be called by several threads at once. A ring takes 64 writers:
    processes that log, times their handlers.

    Raises, unless delay is set, what Writer raises: OSError, NotARing, ValueError (another capacity; form,
    timeout), WriterBusy (64 writers are attached) and others.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        capacity: int | None = None,
        timeout: float | None = 0.1,
        form: Literal["json", "text"] = "json",
        delay: bool = False,
        level: int | str = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        if form not in ("json", "text"):
            raise ValueError(f'form must be "json" or "text", not {form!r}')
        self.form = form
        self._arguments: dict[str, Any] = {"capacity": capacity, "timeout": timeout, "form": form}
        self._outlet = Outlet(path, capacity, timeout, self._notice)
        if not delay:
            self._outlet.open()

    @property
    def path(self) -> str:
        """The ring's absolute path."""
        return self._outlet.path

    @property
    def lost(self) -> int:
        """How many records this handler has lost in this process, told or not."""
        return self._outlet.lost

    def createLock(self) -> None:
        """No lock: the Writer serialises, by waits that end, and a signal handler can't meet its own thread
        here."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit. Blocks up to the timeout. What `filter` returned."""
        passed = self.filter(record)
        if isinstance(passed, logging.LogRecord):  # from Python 3.12 on filters may exchange it
            record = passed
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Blocks up to the timeout; errors go to handleError."""
        try:
            self._outlet.send(self.encode(record))
        except Exception:
            self.handleError(record)

    def encode(self, record: logging.LogRecord) -> bytes:
        """The bytes of a record, as `form` says. Override it for a form of your own; a RingListener takes
        what is not its JSON as text."""
        if self.form == "text":
            return forms.to_text(self.format(record))
        return forms.record_to_json(record, (self.formatter or _plain_formatter).formatException)

    def flush(self) -> None:
        """Tell a loss that was not told yet, if it can be done within the timeout. Nothing else is kept
        back."""
        self._outlet.flush()

    def close(self) -> None:
        """Tell what is untold, and let go of the ring. Records that come later open it again."""
        try:
            self._outlet.close()
        finally:
            super().close()

    def _notice(self, lost: int) -> bytes:
        record = logging.LogRecord(
            "ringlog.logging",
            logging.WARNING,
            __file__,
            0,
            "%d log %s of process %d lost before this: not written within the timeout",
            (lost, "record" if lost == 1 else "records", os.getpid()),
            None,
        )
        record.lost = lost
        try:
            return self.encode(record)
        except Exception:  # a formatter that needs what only the application's records have
            return forms.to_text(record.getMessage())

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.level, self.formatter, self.filters, self.get_name())
        return _reopen, (type(self), self.path, self._arguments, state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r} ({logging.getLevelName(self.level)})>"


def _reopen(
    kind: type[RingHandler], path: str, arguments: dict[str, Any], state: tuple[Any, ...]
) -> RingHandler:
    handler = kind(path, delay=True, **arguments)
    handler.level, handler.formatter, filters, name = state
    handler.filters = list(filters)
    if name is not None:
        handler.set_name(name)
    return handler
