"""RingListener: the reading end."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType

from ringlog._logging import forms
from ringlog.errors import CorruptStream, Overrun, RingRemoved, StreamEnded
from ringlog.files import StrPath
from ringlog.places import Start, check_name, check_start
from ringlog.reader import Reader

TURN = 0.05  # seconds between two looks at whether to stop
LOOK_FOR_RING = 0.05  # seconds between two looks at whether the ring is there


class RingListener:
    """Reads log records from a ring and hands them to logging handlers.

    path: the ring; it may come later, and be removed and made again. handlers: each gets every record, or
    with respect_handler_level only those of its level (text has none, and goes to all). name: the place in
    the ring is kept under this name, and writers wait for us, up to their timeouts. A listener that was
    killed or stopped goes on where the last one of that name was: a record counts as handled when all
    handlers have returned, so that a kill repeats one at most. None: lossy; nobody waits for us, and nothing
    is kept. start: where a new name, or a lossy listener, begins; as a Reader's.

    What writers have overwritten is told to the handlers as a warning, and counted in `lost`. What a handler
    raises goes to its handleError. start() listens in a thread of its own until stop(), which a `with` block
    calls; serve() listens in this one.
    """

    def __init__(
        self,
        path: StrPath,
        *handlers: logging.Handler,
        name: str | None = "listener",
        start: Start = "oldest",
        respect_handler_level: bool = False,
    ) -> None:
        check_start(start)
        check_name(name)
        self.path = os.path.abspath(os.fspath(path))
        self.handlers = handlers
        self.respect_handler_level = respect_handler_level
        self.lost = 0
        self._name = name
        self._start: Start = start
        self._stopping = False  # no Event: a signal handler may set it while we look at it
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen in a thread of its own, a daemon. Returns at once, also if the ring is not there yet.

        Raises RuntimeError if it listens already, NameInUse, TooManyReaders, and what else opening a Reader
        raises.
        """
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError("this listener is started already")
        self._stopping = False
        reader = self._open()
        self._thread = threading.Thread(target=self._listen, args=(reader,), name="RingListener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Handle what was published by now, and end. Blocks until the thread of start() has.

        serve() returns soon after; then this does not block, and may be called by a signal handler.
        """
        self._stopping = True
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def serve(self) -> None:
        """Listen in this thread until stop() is called, or the stream is ended by `Writer.end()`.

        Raises NameInUse, TooManyReaders, StreamTruncated and what else a Reader raises.
        """
        try:
            self._listen(self._open())
        finally:
            self._stopping = False

    def handle(self, record: logging.LogRecord) -> None:
        """Hand a record to the handlers."""
        for handler in self.handlers:
            if (
                not self.respect_handler_level
                or record.levelno >= handler.level
                or getattr(record, "is_text", False)
            ):
                try:
                    handler.handle(record)
                except Exception:  # most come here by themselves, but one that does not must not end us
                    handler.handleError(record)

    def __enter__(self) -> RingListener:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r} {self._name or 'lossy'}>"

    # ---- inside ----

    def _open(self) -> Reader | None:
        try:
            reader = Reader(self.path, start=self._start, name=self._name)
        except FileNotFoundError:
            self._start = "oldest"  # all of a ring that comes while we wait is new
            return None
        self._start = "oldest"
        return reader

    def _listen(self, reader: Reader | None) -> None:
        while True:
            if reader is not None:
                try:
                    if not self._read(reader):
                        return
                finally:
                    reader.close()
            elif self._stopping:
                return
            else:
                time.sleep(LOOK_FOR_RING)
            reader = self._open()

    def _read(self, reader: Reader) -> bool:
        """Until the end. True: the ring was removed, and there may be another one."""
        end: int | None = None
        while True:
            if self._stopping and end is None:
                end = reader.sequence + reader.lag
            if end is not None and reader.sequence >= end:
                reader.commit()
                return False
            try:
                event = reader.read(TURN)  # and what came before it is finished
            except TimeoutError:
                continue
            except StreamEnded:
                return False
            except RingRemoved:
                return True
            except Overrun as gap:
                self.lost += gap.count
                self._tell(
                    logging.WARNING, "%d log records lost: overwritten before they were read", gap.count
                )
            except CorruptStream as error:
                self._pass_over(reader, error)
            else:
                self.handle(forms.from_event(event.data, event.timestamp))

    def _pass_over(self, reader: Reader, error: CorruptStream) -> None:
        before = reader.sequence
        try:
            reader.seek(before + 1)
        except (CorruptStream, ValueError):
            reader.seek("latest")
        if reader.sequence <= before:
            raise error
        self.lost += reader.sequence - before
        self._tell(logging.ERROR, "%d log records lost: %s", reader.sequence - before, error)

    def _tell(self, level: int, text: str, *arguments: object) -> None:
        record = logging.LogRecord("ringlog.logging", level, __file__, 0, text, arguments, None)
        record.lost = arguments[0]
        self.handle(record)
