"""A log call returns, whatever readers, disks and other people do; what was lost is counted and told."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logging_support import LOGGER, Kept, raw, received
from processes import GENEROUS, Child, eventually

import ringlog
from ringlog.logging import RingHandler, RingListener

Attach = Callable[..., RingHandler]
Spawn = Callable[..., Child]


def split(records: list[logging.LogRecord]) -> tuple[list[str], int]:
    """The messages of the application, and how many are told to be lost."""
    lost = [record.__dict__["lost"] for record in records if record.name == "ringlog.logging"]
    return [record.getMessage() for record in records if record.name != "ringlog.logging"], sum(lost)


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_reader_that_does_not_read(
    logger: logging.Logger, attach: Attach, ring_path: str, timeout: float
) -> None:
    handler: Any = attach(capacity=65536, timeout=timeout)
    with ringlog.Reader(ring_path, start="oldest", name="listener"):
        for k in range(2000):
            logger.info("%d", k)
        assert [type(error) for error in handler.failed] == [ringlog.RingFull], "one of an outage is printed"
    lost = handler.lost
    messages, told = split(received(ring_path))
    assert messages == [str(k) for k in range(2000 - lost)]
    assert told == 0

    def one_more() -> bool:
        logger.info("more")
        return len(raw(ring_path)) > 0 and b"more" in raw(ring_path)[-1]

    eventually(one_more)  # there is room, but not each call tries
    notice, *others = received(ring_path)
    assert notice.getMessage().startswith(f"{notice.__dict__['lost']} log records of process")
    assert split(others) == (["more"], 0)
    assert notice.__dict__["lost"] == handler.lost
    assert len(handler.failed) == 1


@pytest.mark.once
def test_a_stopped_listener(ring_path: str, spawn: Spawn) -> None:
    """Lossless, and stopped in the middle: the application goes on, and nothing is lost silently."""
    ringlog.create(ring_path, 65536)
    listener = spawn(
        """
        import logging, ringlog.logging
        class Print(logging.Handler):
            def emit(self, record):
                lost = record.lost if record.name == "ringlog.logging" else "-"
                say(record.process, lost, record.getMessage())
        listener = ringlog.logging.RingListener(path, Print())
        signal.signal(signal.SIGTERM, lambda *_: listener.stop())
        say("ready")
        listener.serve()
        """,
        ring_path,
    )
    assert listener.line() == "ready"
    eventually(lambda: ringlog.info(ring_path).readers)
    application = spawn(
        LOGGER
        + """
handler = attach(timeout=0.01)
handler.handleError = lambda record: None
for k in range(100):
    logger.info("before")
say("stop it")
sys.stdin.readline()
for k in range(3000):
    logger.info("while")
say(handler.lost)
sys.stdin.readline()
while True:
    logger.info("after")
    if not handler._outlet._untold:
        break
    time.sleep(0.01)
handler.close()
say(handler.lost)
""",
        ring_path,
    )
    assert application.line() == "stop it"
    listener.signal(signal.SIGSTOP)
    application.tell()
    assert int(application.line()) > 1000
    listener.signal(signal.SIGCONT)
    application.tell()
    lost = int(application.line())
    application.finish()
    lines = []
    while not lines or not lines[-1].endswith(" after"):
        lines.append(listener.line())
    listener.signal(signal.SIGTERM)
    lines += listener.finish().splitlines()
    words = [line.split(" ", 2) for line in lines]
    told = [int(number) for _, number, _ in words if number != "-"]
    kinds = [text for _, number, text in words if number == "-"]
    assert told
    assert sum(told) == lost
    assert kinds.count("before") == 100
    assert kinds.count("while") + lost >= 3000
    assert {pid for pid, _, _ in words} == {str(application.pid)}


@pytest.mark.once
def test_a_stopped_writer_that_holds_the_lock(ring_path: str, spawn: Spawn) -> None:
    """Somebody else's session: our calls return all the same, and the loss is told when it is over."""
    holder = spawn(
        """
        writer = ringlog.Writer(path, lock="session")
        say("held")
        sys.stdin.readline()
        writer.close()
        """,
        ring_path,
    )
    assert holder.line() == "held"
    holder.signal(signal.SIGSTOP)
    logger = logging.Logger("test")
    handler = RingHandler(ring_path, timeout=0.01)
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    logger.addHandler(handler)
    for _ in range(50):
        logger.info("lost")
    assert handler.lost == 50
    holder.signal(signal.SIGCONT)
    holder.tell()
    holder.finish()

    def through() -> bool:
        logger.info("through")
        return bool(raw(ring_path))

    eventually(through)
    handler.close()
    messages, told = split(received(ring_path))
    assert set(messages) == {"through"}
    assert told == handler.lost >= 50


def test_a_loss_is_told_when_the_handler_is_closed(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    handler = attach(capacity=65536, timeout=0)
    with ringlog.Reader(ring_path, start="oldest", lossless=True):
        while not handler.lost:
            logger.info("fill")
    handler.close()
    assert received(ring_path)[-1].__dict__["lost"] == 1


def test_a_formatter_that_can_not_format_the_notice(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    """It needs an attribute that only the application's records have: the notice goes without it."""
    handler = attach(capacity=65536, timeout=0, form="text")
    handler.setFormatter(logging.Formatter("%(user)s %(message)s"))
    with ringlog.Reader(ring_path, start="oldest", lossless=True):
        while not handler.lost:
            logger.info("fill", extra={"user": "eve"})
    handler.flush()
    lost, pid = handler.lost, os.getpid()
    assert raw(ring_path)[-1].startswith(b"%d log record of process %d lost" % (lost, pid))


def test_forked_by_a_signal_handler_in_the_middle_of_a_call(ring_path: str, spawn: Spawn) -> None:
    """The child comes back into the call, which is in a way that was the parent's."""
    child = spawn(
        LOGGER
        + """
handler = attach(capacity=65536, timeout=0)
parent, pids = os.getpid(), []
reader = ringlog.Reader(path, lossless=True)
while not handler.lost:
    logger.info("fill")
reader.close()
def forks(data):
    if not pids:
        pids.append(os.fork())  # as a signal's handler could, anywhere in there
    return data
notice = handler._outlet._notice
handler._outlet._notice = lambda lost: forks(notice(lost))
time.sleep(0.02)
failed = []
handler.handleError = lambda record: failed.append(sys.exc_info()[1])
logger.info("both")
logger.info("again")
if os.getpid() != parent:
    os._exit(len(failed))
assert os.waitpid(pids[0], 0)[1] == 0 and not failed
handler.close()
""",
        ring_path,
    )
    child.finish()
    messages = [record.getMessage() for record in received(ring_path)]
    assert messages.count("both") == messages.count("again") == 2


def test_a_ring_that_can_not_be_made_yet(logger: logging.Logger, attach: Attach, ring_folder: Path) -> None:
    path = ring_folder / "later" / "ring"
    with pytest.raises(FileNotFoundError):
        attach(path=str(path))
    handler: Any = attach(path=str(path), delay=True)
    logger.info("lost")
    logger.info("lost")
    assert [type(error) for error in handler.failed] == [FileNotFoundError]
    path.parent.mkdir()

    def made() -> bool:
        logger.info("made")
        return path.exists()

    eventually(made)
    messages, told = split(received(str(path)))
    assert messages == ["made"]
    assert told == handler.lost >= 2
    handler.close()
    ringlog.unlink(path)


def test_no_slot_left(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    """A ring takes 64 writers. Who comes later gets in when one leaves."""
    writers = [ringlog.Writer(ring_path, capacity=65536) for _ in range(64)]
    with pytest.raises(ringlog.WriterBusy):
        attach()
    handler: Any = attach(delay=True)
    logger.info("lost")
    logger.info("lost")
    assert [type(error) for error in handler.failed] == [ringlog.WriterBusy]
    for writer in writers:
        writer.close()

    def in_time() -> bool:
        logger.info("in")
        return bool(raw(ring_path))

    eventually(in_time)
    messages, told = split(received(ring_path))
    assert messages == ["in"]
    assert told == handler.lost >= 2


def test_a_ring_that_is_removed_is_made_again(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    handler: Any = attach(capacity=65536)
    logger.info("one")
    ringlog.unlink(ring_path)
    logger.info("two")
    assert [record.getMessage() for record in received(ring_path)] == ["two"]
    assert (handler.lost, handler.failed) == (0, [])
    assert ringlog.info(ring_path).capacity == 65536


def test_a_damaged_ring(logger: logging.Logger, attach: Attach, ring_path: str) -> None:
    """One is told of it; when there is a whole one in its place, it goes on there."""
    handler: Any = attach(capacity=65536)
    with open(ring_path, "r+b") as file:
        file.truncate(4096)
    logger.info("lost")
    logger.info("lost")
    assert len(handler.failed) == 1
    assert isinstance(handler.failed[0], ringlog.RinglogError)
    ringlog.unlink(ring_path)

    def again() -> bool:
        logger.info("again")
        return Path(ring_path).exists()

    eventually(again)
    messages, told = split(received(ring_path))
    assert messages == ["again"]
    assert told == handler.lost >= 2


def test_lossy_listeners_are_told_what_they_missed(
    logger: logging.Logger, attach: Attach, ring_path: str
) -> None:
    attach(capacity=65536)
    logger.info("first")
    kept = Kept()
    entered, go_on = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            entered.set()
            go_on.wait(GENEROUS)

    listener = RingListener(ring_path, Slow(), kept, name=None)
    with listener:
        entered.wait(GENEROUS)
        for k in range(2000):
            logger.info("%d", k)
        go_on.set()
    messages, told = split(kept.records)
    assert told == listener.lost > 0
    assert messages == ["first", *(str(k) for k in range(told, 2000))]
