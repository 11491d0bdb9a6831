"""Configuration by dict, beginnings and ends: of handlers, listeners, interpreters and streams."""

from __future__ import annotations

import logging
import logging.config
import signal
from collections.abc import Callable
from typing import Any

import pytest
from logging_support import LOGGER, Kept, received
from processes import Child, eventually

import ringlog
from ringlog.logging import RingHandler, RingListener

Attach = Callable[..., RingHandler]
Spawn = Callable[..., Child]


def test_dict_config(ring_path: str, spawn: Spawn) -> None:
    spawn(
        """
        import logging.config
        logging.config.dictConfig({
            "version": 1,
            "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
            "filters": {"app": {"name": "app"}},
            "handlers": {
                "ring": {
                    "class": "ringlog.logging.RingHandler",
                    "path": path,
                    "capacity": 65536,
                    "timeout": 5,
                    "form": "text",
                    "formatter": "short",
                    "filters": ["app"],
                    "level": "WARNING",
                }
            },
            "root": {"handlers": ["ring"], "level": "DEBUG"},
        })
        logging.getLogger("app").info("not this")
        logging.getLogger("other").error("nor this")
        logging.getLogger("app").error("this")
        """,
        ring_path,
    ).finish()
    assert [record.getMessage() for record in received(ring_path)] == ["ERROR this"]


def test_the_interpreters_end(ring_path: str, spawn: Spawn) -> None:
    """Nothing has to be closed; and what is logged after logging's own shutdown arrives too."""
    child = spawn(
        "import atexit\natexit.register(lambda: logger.info('last'))\n"
        + LOGGER
        + "attach()\nlogger.info('one')",
        ring_path,
    )
    child.finish()
    assert child.errors() == ""
    assert [record.getMessage() for record in received(ring_path)] == ["one", "last"]


def test_a_closed_handler_opens_again(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    handler = attach()
    handler.close()
    handler.close()
    assert [writer for writer in ringlog.info(ring_path).writers if writer.state != "dead"] == []
    logger.info("again")
    assert [record.getMessage() for record in received(ring_path)] == ["again"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"form": "xml"}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"timeout": "1"}, TypeError),
        ({"capacity": 1000}, ValueError),
        ({"level": "LOUD"}, ValueError),
        ({"delay": True, "capacity": 1000}, ValueError),
        ({"delay": True, "timeout": float("nan")}, ValueError),
    ],
)
def test_bad_arguments(ring_path: str, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RingHandler(ring_path, **arguments)


def test_levels(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach()
    logger.info("low")
    logger.error("high")
    for respect, expected in ((True, ["high"]), (False, ["low", "high"])):
        kept = Kept(logging.ERROR)
        with RingListener(ring_path, kept, name=None, respect_handler_level=respect):
            pass
        assert kept.messages == expected


def test_text_has_no_level(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach(form="text")
    logger.info("text")
    kept = Kept(logging.CRITICAL)
    with RingListener(ring_path, kept, respect_handler_level=True):
        pass
    assert kept.messages == ["text"]


def test_a_handler_that_raises(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    class Raising(logging.Handler):
        failed = 0

        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError

        def handleError(self, record: logging.LogRecord) -> None:
            self.failed += 1

    attach()
    logger.info("one")
    logger.info("two")
    raising, kept = Raising(), Kept()
    with RingListener(ring_path, raising, kept):
        pass
    assert (raising.failed, kept.messages) == (2, ["one", "two"])


def test_stop_handles_what_is_there_and_the_next_goes_on(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    attach()
    kept = Kept()
    listener = RingListener(ring_path, kept)
    for turn in range(3):
        listener.start()
        with pytest.raises(RuntimeError):
            listener.start()
        for k in range(100):
            logger.info("%d %d", turn, k)
        listener.stop()
        assert len(kept.messages) == 100 * (turn + 1)
    listener.stop()
    assert kept.messages == [f"{turn} {k}" for turn in range(3) for k in range(100)]


def test_a_name_is_one_listeners(attach: Attach, ring_path: str) -> None:
    attach()
    with RingListener(ring_path), pytest.raises(ringlog.NameInUse):
        RingListener(ring_path).start()
    with RingListener(ring_path, name="one"), RingListener(ring_path, name="two"):
        pass


@pytest.mark.parametrize("start", ["oldest", "latest"])
def test_a_ring_that_comes_later_and_is_made_again(
    logger: logging.Logger, attach: Attach, ring_path: str, start: Any
) -> None:
    kept = Kept()
    with RingListener(ring_path, kept, start=start):
        attach(capacity=65536)
        logger.info("one")
        eventually(lambda: kept.messages == ["one"])
        ringlog.unlink(ring_path)
        logger.info("two")
        eventually(lambda: kept.messages == ["one", "two"])


def test_stopped_before_there_is_a_ring(ring_path: str) -> None:
    with RingListener(ring_path):
        pass


def test_an_event_that_is_damaged_is_passed_over(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    attach(capacity=65536)
    for text in ("one", "xyzzy", "three"):
        logger.info(text)
    with open(ring_path, "r+b") as file:
        content = file.read()
        file.seek(content.index(b"xyzzy"))
        file.write(b"plugh")
    kept = Kept()
    listener = RingListener(ring_path, kept)
    with listener:
        pass
    one, told, three = kept.records
    assert (one.getMessage(), three.getMessage()) == ("one", "three")
    assert (told.levelno, told.__dict__["lost"], listener.lost) == (logging.ERROR, 1, 1)


def test_serve_ends_with_the_stream(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    attach()
    logger.info("one")
    with ringlog.Writer(ring_path) as writer:
        writer.end()
    kept = Kept()
    RingListener(ring_path, kept).serve()
    assert kept.messages == ["one"]


def test_serve_is_interrupted(ring_path: str, spawn: Spawn) -> None:
    """Ctrl-C in the middle of a record: it was not handled, so that the next listener gets it."""
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([b"one", b"two"])
    child = spawn(
        """
        import logging, ringlog.logging
        class Slow(logging.Handler):
            def emit(self, record):
                say(record.getMessage())
                if record.getMessage() == "two":
                    time.sleep(60)
        try:
            ringlog.logging.RingListener(path, Slow()).serve()
        except KeyboardInterrupt:
            say("interrupted")
        """,
        ring_path,
    )
    assert [child.line(), child.line()] == ["one", "two"]
    child.signal(signal.SIGINT)
    assert child.line() == "interrupted"
    child.finish()
    assert [record.getMessage() for record in received(ring_path)] == ["two"]
