"""Records as a listener hands them over, and code that logging processes have in common."""

from __future__ import annotations

import logging
from typing import Any

import ringlog
from ringlog.logging import RingListener

# For Child: a logger that writes into the ring at `path`.
LOGGER = """\
import logging, ringlog.logging
logger = logging.getLogger("app")
logger.setLevel(logging.DEBUG)
def attach(**arguments):
    handler = ringlog.logging.RingHandler(path, **arguments)
    logger.addHandler(handler)
    return handler
"""


class Kept(logging.Handler):
    """Keeps the records."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


def received(path: str, **arguments: Any) -> list[logging.LogRecord]:
    """What a listener hands over of what is in the ring by now."""
    kept = Kept()
    with RingListener(path, kept, **arguments):
        pass
    return kept.records


def raw(path: str) -> list[bytes]:
    """The events in the ring."""
    with ringlog.Reader(path, start="oldest") as reader:
        return [event.data for event in reader.read_many(1 << 20)]
