"""What is logged is what arrives: every attribute that can be kept, or the formatter's text."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from logging_support import raw, received
from processes import GENEROUS

from ringlog._logging import forms
from ringlog.logging import RingHandler

Attach = Callable[..., RingHandler]


@pytest.fixture(params=["msgspec", "standard library"])
def _either_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "standard library":
        monkeypatch.setattr(forms, "_fast_encode", None)
        monkeypatch.setattr(forms, "_fast_decode", None)
    else:
        pytest.importorskip("msgspec")


class Silent(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.record: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.record = record


@pytest.mark.usefixtures("_either_json")
def test_every_attribute(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach()
    after = Silent()
    logger.addHandler(after)
    try:
        raise KeyError("gone")
    except KeyError:
        logger.error(
            "%s and %d", "one", 2, exc_info=True, stack_info=True, extra={"user": "eve", "none": None}
        )
    (got,) = received(ring_path)
    sent = after.record
    assert sent is not None
    assert sent.exc_info is not None
    assert sent.exc_text is None, "the record that other handlers get was changed"
    assert sent.args == ("one", 2)
    given = {**sent.__dict__, "msg": "one and 2", "args": (), "exc_info": None}
    trace = got.__dict__["exc_text"]
    assert trace.startswith("Traceback")
    assert trace.endswith("KeyError: 'gone'")
    assert {**got.__dict__, "exc_text": None} == given
    layout = logging.Formatter("%(asctime)s %(process)d %(threadName)s %(levelname)s %(message)s %(user)s")
    assert layout.format(got) == layout.format(sent)


class Sulking:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.usefixtures("_either_json")
def test_extras_that_json_has_no_type_for(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach()
    circle: list[Any] = []
    circle.append(circle)
    extra = {
        "day": date(2026, 11, 23),
        "set": {7},
        "keys": {1: ("a", None)},
        "nan": float("nan"),
        "large": 10**40,
        "half": "\ud800",
        "level": logging.INFO,
        "circle": circle,
        "sulking": Sulking(),
        "flag": True,
        "ratio": 0.5,
    }
    logger.warning("half \udcff", extra=extra)
    (got,) = received(ring_path)
    assert got.getMessage() == "half \udcff"
    seen = got.__dict__
    assert {name: seen[name] for name in extra if name != "circle"} == {
        "day": "2026-11-23",
        "set": [7],
        "keys": {"1": ["a", None]},
        "nan": "nan",
        "large": 10**40,
        "half": "\ud800",
        "level": 20,
        "sulking": "<Sulking whose str() raised RuntimeError>",
        "flag": True,
        "ratio": 0.5,
    }
    assert isinstance(seen["circle"][0], list)


def test_a_formatters_own_tracebacks(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    class Short(logging.Formatter):
        def formatException(self, ei: Any) -> str:
            return f"!{ei[0].__name__}"

    attach().setFormatter(Short())
    try:
        raise KeyError
    except KeyError:
        logger.exception("bad")
    assert received(ring_path)[0].exc_text == "!KeyError"


def test_a_message_with_percent_signs_is_not_formatted_twice(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    attach()
    logger.info("%s", "100 %d")
    assert received(ring_path)[0].getMessage() == "100 %d"


def test_text_is_plain_lines(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach(form="text").setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.warning("one")
    logger.error("two \udcff", extra={"unused": 1})
    assert raw(ring_path) == [b"WARNING one", b"ERROR two \\udcff"]
    one, two = received(ring_path)
    assert (one.getMessage(), one.levelno, one.__dict__["is_text"]) == ("WARNING one", logging.INFO, True)
    assert logging.Formatter("%(process)d %(threadName)s %(message)s").format(two) == "0 - ERROR two \\udcff"


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b"[1]", b"\xff", b"", b'{"msg": 1, "levelno": "x"}', b'{"event": 3}', b"{" * 5000]
)
def test_what_is_not_ours_comes_as_text(data: bytes) -> None:
    record = forms.from_event(data, 1_700_000_000_123_456_789)
    assert record.getMessage() == data.decode("utf-8", "backslashreplace")
    assert abs(record.created - 1_700_000_000.123) < 0.001
    assert record.msecs == 123


def test_the_events_are_json_for_any_program(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach()
    logger.info("to %s", "all")
    fields = json.loads(raw(ring_path)[0])
    assert (fields["msg"], fields["levelname"], fields["name"]) == ("to all", "INFO", "test")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_bad_record_goes_to_handle_error(
    logger: logging.Logger, attach: Attach, ring_path: str, form: str
) -> None:
    handler: Any = attach(form=form)
    logger.info("%d", "none")
    logger.info("good")
    assert [type(error) for error in handler.failed] == [TypeError]
    assert len(raw(ring_path)) == 1
    assert handler.lost == 0


def test_one_that_is_too_large_is_counted_and_told(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    handler: Any = attach(capacity=65536)
    logger.info("x" * 40_000)
    assert [type(error).__name__ for error in handler.failed] == ["EventTooLarge"]
    assert handler.lost == 1
    handler.flush()
    (notice,) = received(ring_path)
    assert notice.__dict__["lost"] == 1
    assert notice.levelno == logging.WARNING
    logger.info("small")
    assert [record.getMessage() for record in received(ring_path)] == ["small"]


def test_tail_shows_them(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach(form="text").setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.warning("to be\nread")
    text = logger.handlers.pop()
    text.close()
    attach()
    logger.error("by %s", "people")
    command = [sys.executable, "-m", "ringlog", "tail", ring_path, "--no-follow"]
    raw_lines = subprocess.run(command, capture_output=True, check=True, timeout=GENEROUS, text=True).stdout
    assert raw_lines.startswith('WARNING to be\nread\n{"')
    lines = subprocess.run(
        [*command, "-o", "log"], capture_output=True, check=True, timeout=GENEROUS, text=True
    )
    first, second = lines.stdout.split("\nread\n")
    assert first.endswith("WARNING to be")
    assert second.endswith(f"Z ERROR test[{os.getpid()}]: by people\n")
