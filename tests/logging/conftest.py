"""A logger of its own for each test, and handlers that are closed after it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ringlog.logging import RingHandler


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that passes everything, to its own handlers alone."""
    logger = logging.Logger("test")
    yield logger
    for handler in logger.handlers:
        handler.close()


@pytest.fixture
def attach(logger: logging.Logger, ring_path: str) -> Callable[..., RingHandler]:
    """Give the logger a RingHandler on `ring_path`, or `path=`; what goes to its handleError is in
    `.failed`."""

    def make(*, path: str = ring_path, **arguments: Any) -> RingHandler:
        handler = Noting(path, **arguments)
        logger.addHandler(handler)
        return handler

    return make


class Noting(RingHandler):
    """Keeps the exceptions that would be printed."""

    def __init__(self, path: str, **arguments: Any) -> None:
        self.failed: list[BaseException | None] = []
        super().__init__(path, **arguments)

    def handleError(self, record: logging.LogRecord) -> None:
        self.failed.append(sys.exc_info()[1])
