"""structlog writes into the same ring, and the same listener reads it."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from logging_support import raw, received

from ringlog.logging import RingLoggerFactory

structlog = pytest.importorskip("structlog")


@pytest.fixture
def factory(ring_path: str) -> Iterator[RingLoggerFactory]:
    factory = RingLoggerFactory(ring_path, capacity=65536)
    yield factory
    factory.close()


def logger_with(factory: RingLoggerFactory, *processors: Any) -> Any:
    wrapped = structlog.make_filtering_bound_logger(logging.DEBUG)
    return structlog.wrap_logger(factory(), processors=processors, wrapper_class=wrapped)


def test_event_dicts(factory: RingLoggerFactory, ring_path: str) -> None:
    log = logger_with(
        factory,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.CallsiteParameterAdder([structlog.processors.CallsiteParameter.PROCESS]),
    )
    log.bind(user="eve").warning("login", attempt=2, name="clash", where={1})
    try:
        raise KeyError
    except KeyError:
        log.exception("bad")
    first, second = received(ring_path)
    assert (first.getMessage(), first.levelno, first.levelname) == ("login", logging.WARNING, "WARNING")
    fields = first.__dict__
    assert (fields["user"], fields["attempt"], fields["where"], first.name) == ("eve", 2, [1], "structlog")
    assert fields["event_dict"]["name"] == "clash"
    assert first.process
    assert second.levelno == logging.ERROR
    assert logging.Formatter().format(second).endswith("KeyError")


def test_without_any_processor(factory: RingLoggerFactory, ring_path: str) -> None:
    log = logger_with(factory, lambda _logger, _method, event: event)
    log.error("as it is", count=1)
    assert json.loads(raw(ring_path)[0]) == {"event": "as it is", "count": 1, "level": "error"}
    assert received(ring_path)[0].levelno == logging.ERROR


def test_rendered(factory: RingLoggerFactory, ring_path: str) -> None:
    logger_with(factory, structlog.processors.KeyValueRenderer()).info("text", n=1)
    logger_with(factory, structlog.processors.JSONRenderer()).info("json", n=1)
    data = raw(ring_path)
    assert b"text" in data[0]
    assert json.loads(data[1]) == {"event": "json", "n": 1}


def test_too_large_is_not_raised(
    factory: RingLoggerFactory, ring_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logger_with(factory, structlog.processors.JSONRenderer())
    log.info("x" * 50_000)
    assert factory.lost == 1
    assert "EventTooLarge" in capsys.readouterr().err


def test_pickled(factory: RingLoggerFactory, ring_path: str) -> None:
    copy = pickle.loads(pickle.dumps(factory))
    copy().info(event="from a copy")
    copy.close()
    assert received(ring_path)[0].getMessage() == "from a copy"
