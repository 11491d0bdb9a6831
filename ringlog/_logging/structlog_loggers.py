"""structlog's logger factory for rings. It needs nothing of structlog: a logger there is any object with
methods."""

from __future__ import annotations

import logging
from typing import Any

from ringlog._logging import forms
from ringlog._logging.handler import RingHandler
from ringlog.files import StrPath


class RingLogger:
    """What structlog's processors hand their result to: each call is one event in the ring.

    A str or bytes (from a renderer) is written as it is, an event dict (without a renderer) as JSON. Nothing
    is raised: losses are counted and told, other errors printed, as by RingHandler.
    """

    def __init__(self, handler: RingHandler) -> None:
        self._handler = handler

    def msg(self, message: str | bytes | None = None, /, **event: Any) -> None:
        """Write one event. Blocks up to the timeout."""
        self._write("info", message, event)

    def debug(self, message: str | bytes | None = None, /, **event: Any) -> None:
        """As msg; the level is noted, unless the event dict has one."""
        self._write("debug", message, event)

    def warning(self, message: str | bytes | None = None, /, **event: Any) -> None:
        """As debug."""
        self._write("warning", message, event)

    def error(self, message: str | bytes | None = None, /, **event: Any) -> None:
        """As debug."""
        self._write("error", message, event)

    def critical(self, message: str | bytes | None = None, /, **event: Any) -> None:
        """As debug."""
        self._write("critical", message, event)

    log = info = msg
    warn = warning
    exception = failure = error
    fatal = critical

    def _write(self, level: str, message: str | bytes | None, event: dict[str, Any]) -> None:
        try:
            if message is None:
                event.setdefault("level", level)
                data = forms.to_json(forms.plain(event))
            else:
                data = forms.to_text(message) if isinstance(message, str) else message
            self._handler._outlet.send(data)
        except Exception:
            text = repr(event) if message is None else str(message)
            self._handler.handleError(logging.makeLogRecord({"msg": text, "name": "structlog"}))


class RingLoggerFactory:
    """For `structlog.configure(logger_factory=...)`: writes events into a ring, from any number of processes.

    path, capacity, timeout: as RingHandler's, and so is everything else: losses, forks, removal, and what is
    raised. A RingListener makes log records of event dicts (`event`, `level`, `logger`, `exception`; the rest
    become attributes, and all of it is `record.event_dict`). structlog itself is not needed to import this.
    """

    def __init__(
        self, path: StrPath, *, capacity: int | None = None, timeout: float | None = 0.1, delay: bool = False
    ) -> None:
        self._handler = RingHandler(path, capacity=capacity, timeout=timeout, delay=delay)

    @property
    def lost(self) -> int:
        """How many events were lost in this process."""
        return self._handler.lost

    def __call__(self, *arguments: Any) -> RingLogger:
        return RingLogger(self._handler)

    def close(self) -> None:
        """Tell what was lost, and let go of the ring. Events that come later open it again."""
        self._handler.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self._handler)


def _reopen(kind: type[RingLoggerFactory], handler: RingHandler) -> RingLoggerFactory:
    factory = kind.__new__(kind)
    factory._handler = handler
    return factory
