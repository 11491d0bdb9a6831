"""How long a loop listens to a reader: from one wait to the next, and no longer than anybody might wait."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
import weakref
from collections.abc import Callable

import pytest
from descriptor_support import Run, open_descriptors

import ringlog
from ringlog import aio


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@pytest.fixture
def rings_heard(monkeypatch: pytest.MonkeyPatch) -> list[aio.Bell]:
    """Every call that a loop makes because a descriptor was readable."""
    heard: list[aio.Bell] = []
    known = aio.Bell._ring

    def ring(bell: aio.Bell) -> None:
        heard.append(bell)
        known(bell)

    monkeypatch.setattr(aio.Bell, "_ring", ring)
    return heard


def test_one_event_after_another_needs_one_bell(ring: str, run: Run, rings_heard: list[aio.Bell]) -> None:
    async def count(reader: ringlog.Reader) -> int:
        return len([event async for event in reader])

    async def main() -> None:
        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            task = asyncio.ensure_future(count(reader))
            for k in range(20):
                await until(lambda: reader._bells and reader._quiet)
                writer.append(b"%d" % k)
                await until(lambda k=k: reader.sequence == k + 1)
            writer.end()
            assert await task == 20

    run(main())
    assert len({id(bell) for bell in rings_heard}) == 1


def test_an_event_that_nobody_waits_for_ends_the_listening(
    ring: str, run: Run, rings_heard: list[aio.Bell]
) -> None:
    async def main() -> None:
        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            reader.fileno()
            before = open_descriptors()
            task = asyncio.ensure_future(reader.__anext__())
            await until(lambda: reader._bells)
            writer.append(b"waited for")
            await task
            del rings_heard[:]
            writer.append(b"not waited for")
            await until(lambda: not reader._bells)
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(rings_heard) <= 2  # it may have been seen for the first event once more
            assert open_descriptors() == before
            assert (await reader.__anext__()).data == b"not waited for"

    run(main())


async def read_and_forget(path: str) -> weakref.ref[ringlog.Reader]:
    reader = ringlog.Reader(path)
    with ringlog.Writer(path) as writer:
        task = asyncio.ensure_future(reader.__anext__())
        await until(lambda: reader._bells)
        writer.append(b"x")
        await task
    return weakref.ref(reader)


def test_a_reader_that_nobody_keeps_goes_whatever_the_loop_listens_to(ring: str, run: Run) -> None:
    async def main() -> None:
        gc.collect()  # what other tests have left goes first
        before = open_descriptors()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            reader = await read_and_forget(ring)
            gc.collect()
        assert reader() is None
        await until(lambda: open_descriptors() == before)

    run(main())


def test_closed_loops_leave_no_descriptors(ring: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        reader.fileno()
        before = open_descriptors()
        for k in range(5):
            loop = asyncio.new_event_loop()
            task = loop.create_task(reader.__anext__())
            loop.run_until_complete(until(lambda: reader._bells and reader._quiet))
            writer.append(b"%d" % k)
            assert loop.run_until_complete(task).data == b"%d" % k
            loop.close()
            del loop, task
        reader._bells.clear()
        gc.collect()
        assert open_descriptors() == before


def test_without_descriptors_the_error_is_all(ring: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bell that could not be made leaves nothing, and says nothing when it is collected."""

    def refuse(fd: int) -> int:
        raise OSError(24, "Too many open files")

    async def main() -> None:
        with ringlog.Reader(ring) as reader:
            monkeypatch.setattr("os.dup", refuse)
            with pytest.raises(OSError, match="Too many"):
                await reader.__anext__()
            gc.collect()
            assert not reader._bells

    run(main())


def test_a_reader_closed_while_its_descriptor_is_duplicated(
    ring: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another thread, just then: its number may be another file's, which nobody must listen to."""
    known = os.dup

    def close_meanwhile(fd: int) -> int:
        reader.close()
        return known(1)

    async def main() -> None:
        before = open_descriptors() - 1  # the reader's
        monkeypatch.setattr("os.dup", close_meanwhile)
        with pytest.raises(ringlog.ClosedError):
            await reader.__anext__()
        assert open_descriptors() < before + 1

    with ringlog.Reader(ring) as reader:
        reader.fileno()
        run(main())


class ClosedLoop:
    """A loop that is closed; while it is asked, another thread tidies up."""

    def __init__(self, bells: dict[object, object]) -> None:
        self.bells = bells

    def is_closed(self) -> bool:
        for other in list(self.bells):
            if isinstance(other, ClosedLoop):
                del self.bells[other]
        return True


def test_what_another_thread_tidied_away_is_no_error(ring: str, run: Run) -> None:
    async def main() -> None:
        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            for _ in range(3):
                reader._bells[ClosedLoop(reader._bells)] = None
            task = asyncio.ensure_future(reader.__anext__())
            await until(lambda: asyncio.get_running_loop() in reader._bells or task.done())
            assert len(reader._bells) == 1
            writer.append(b"x")
            assert (await task).data == b"x"

    run(main())
