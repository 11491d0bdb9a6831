"""Whom a jump waits for: who has not read all that there was, and lives. And when nobody may ask for one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Literal

import pytest
from oracle import RingFile, decode
from processes import Child
from runs_support import jump, lost

import ringlog


@pytest.mark.parametrize("lock", ["append", "session"])
@pytest.mark.parametrize("options", ["lossless=True", "name='n'"])
def test_a_killed_reader_is_not_waited_for(
    ring_path: str, spawn: Callable[..., Child], lock: Literal["append", "session"], options: str
) -> None:
    """Nor are two of them in front of one that lives. A name keeps its place, and is told of its loss."""
    code = f"r = ringlog.Reader(path, {options}); say('here'); time.sleep(60)"
    with (
        ringlog.Writer(ring_path, capacity=65536, lock=lock, timeout=0) as writer,
        contextlib.ExitStack() as stack,
    ):
        dead = [spawn(each, ring_path) for each in (code, code.replace("'n'", "'m'"))]
        assert [child.line() for child in dead] == ["here", "here"]
        alive = stack.enter_context(ringlog.Reader(ring_path, name="alive"))
        writer.append(b"a")
        for child in dead:
            assert jump(writer, 50) >= 0
            child.kill()
        slot = jump(writer, 50)
        assert ringlog.slots.reader_slot(writer._mapping, slot).name == "alive"
        assert ringlog.info(ring_path).write_offset == 24 + 17
        assert alive.read().data == b"a"
        alive.commit()
        assert jump(writer, 50) == -1
        assert lost(alive) == (1, 49)
        left = {reader.name for reader in ringlog.info(ring_path).readers}
        named = "n'" in options
        assert left == ({"alive", "n", "m"} if named else {"alive"})
        if named:
            assert lost(stack.enter_context(ringlog.Reader(ring_path, name="n"))) == (0, 49)


@pytest.mark.parametrize("told", [False, True])
def test_several_in_a_row(reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str, told: bool) -> None:
    """An idle reader has read all that there was, so it need not be told of the first one before the next."""
    first = 1
    writer.append(b"a")
    reader.read()
    reader.commit()
    for goal in (10, 20, 1_000_000, 1_000_001):
        assert jump(writer, goal) == -1
        assert ringlog.verify(ring_path).first_bad is None
        if told:
            assert lost(reader) == (first, goal - 1)
            reader.commit()
            first = goal
    if not told:
        assert lost(reader) == (1, 1_000_000)
    assert reader.poll() is None
    writer.append(b"b")
    assert reader.read()[0] == 1_000_001
    assert ringlog.verify(ring_path).first_bad is None


def test_what_came_between_two_is_waited_for(
    reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str
) -> None:
    """It stands before an event that it has not read, however far."""
    assert jump(writer, 10) == -1
    assert jump(writer, 20) == -1
    writer.append(b"between")
    if jump(writer, 30) == -1:
        assert lost(reader) == (0, 29)
        return
    assert ringlog.verify(ring_path).first_bad is None
    assert lost(reader) == (0, 19)
    assert jump(writer, 30) >= 0
    assert reader.read().data == b"between"
    reader.commit()
    assert jump(writer, 30) == -1
    assert lost(reader) == (21, 29)


def test_verify_still_finds_a_cursor_that_was_overwritten(
    reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str
) -> None:
    """Behind jumps, too: only where nothing but jumps lies between has it missed no event."""
    for goal in (10, 20):
        assert jump(writer, goal) == -1
    with RingFile(ring_path) as file:
        file["jumped"] = file["write_offset"]  # as a jump that was begun and forgotten leaves it
        assert ringlog.verify(ring_path).ok
        writer.append_many([b"a", b"b"])
        file.move_tail(1)
    report = ringlog.verify(ring_path)
    assert report.ok == (ringlog.info(ring_path).readers == ())
    assert report.ok or "has been overwritten" in str(report.why)


@pytest.mark.parametrize("lock", ["append", "session"])
def test_not_inside_a_claim(ring_path: str, lock: Literal["append", "session"]) -> None:
    """Which has the lock, and is about to publish where it was made."""
    with ringlog.Writer(ring_path, capacity=65536, lock=lock) as writer:
        writer.append(b"a")
        with writer.claim(4) as view:
            for call in (lambda: writer._jump(5), writer._drop_window, lambda: jump(writer, 5)):
                with pytest.raises(ringlog.WriterBusy, match="inside a claim"):
                    call()
            view[:] = b"made"
        with pytest.raises(ValueError, match="holds the lock"):  # nor beside the other threads of this Writer
            writer._jump(5)
        assert jump(writer, 5) == -1
        assert writer.append(b"b") == 5
    assert [event.data for event in decode(ring_path)] == [b"b"]
    assert ringlog.verify(ring_path).first_bad is None
