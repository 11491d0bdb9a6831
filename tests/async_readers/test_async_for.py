"""`async for event in reader`: under asyncio and uvloop, every event once, whoever is cancelled or closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from descriptor_support import open_descriptors, wait_readable
from processes import Child
from processes import run as run_code

import ringlog

Run = Callable[[Coroutine[Any, Any, Any]], Any]
NewLoop = Callable[[], asyncio.AbstractEventLoop]


async def everything(reader: ringlog.Reader) -> list[bytes]:
    return [event.data async for event in reader]


async def waits(*readers: ringlog.Reader, tasks: int = 1) -> None:
    """Return when so many tasks of this loop wait for each of them."""
    loop = asyncio.get_running_loop()
    while not all(loop in r._bells and len(r._bells[loop]._waiting) == tasks for r in readers):
        await asyncio.sleep(0)


# ---- events ----


@pytest.mark.parametrize("lossless", [False, True])
def test_from_another_process_to_the_end(
    ring: str, run: Run, spawn: Callable[..., Child], lossless: bool
) -> None:
    with ringlog.Reader(ring, lossless=lossless) as reader:
        child = spawn(
            """
            with ringlog.Writer(path, timeout=20) as writer:
                for k in range(2000):
                    writer.append(b"%d" % k)
                    if k % 100 == 0:
                        time.sleep(0)
                writer.end()
            """,
            ring,
        )
        assert run(everything(reader)) == [b"%d" % k for k in range(2000)]
        assert run(everything(reader)) == []
        child.finish()


def test_many_readers_of_several_rings_in_one_loop(
    rings: list[str], run: Run, spawn: Callable[..., Child]
) -> None:
    readers = [ringlog.Reader(path, lossless=k == 0) for path in rings for k in range(4)]

    async def main() -> list[list[bytes]]:
        tasks = [asyncio.ensure_future(everything(reader)) for reader in readers]
        await waits(*readers)
        child.tell("go")
        return await asyncio.gather(*tasks)

    child = spawn(
        """
        import contextlib
        sys.stdin.readline()
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(ringlog.Writer(path, timeout=20)) for path in sys.argv[1:]]
            for k in range(600):
                for writer in writers:
                    writer.append(b"%d" % k)
            for writer in writers:
                writer.end()
        """,
        *rings,
    )
    assert run(main()) == [[b"%d" % k for k in range(600)]] * len(readers)
    child.finish()
    for reader in readers:
        reader.close()


def test_there_and_back_many_times(rings: list[str], run: Run) -> None:
    """Were a wake-up lost, it would take a tenth of a second to notice."""
    there, back, _ = rings

    async def echo(reader: ringlog.Reader, writer: ringlog.Writer) -> None:
        async for event in reader:
            writer.append(event.data)
        writer.end()

    async def main() -> None:
        with (
            ringlog.Reader(there) as requests,
            ringlog.Writer(back) as replies,
            ringlog.Writer(there) as writer,
            ringlog.Reader(back) as answers,
        ):
            task = asyncio.ensure_future(echo(requests, replies))
            for k in range(1000):
                writer.append(b"%d" % k)
                assert (await answers.__anext__()).data == b"%d" % k
            writer.end()
            assert await everything(answers) == []
            await task

    run(main())


def test_readers_that_come_one_after_another(rings: list[str], run: Run) -> None:
    """The thread sleeps for another ring when they come, so it has to be told of each."""

    async def main() -> None:
        with ringlog.Reader(rings[0]) as other, ringlog.Writer(rings[1]) as writer:
            other.fileno()
            for _ in range(500):
                with ringlog.Reader(rings[1]) as reader:
                    task = asyncio.ensure_future(reader.__anext__())
                    await waits(reader)
                    writer.append(b"x")
                    assert (await task).data == b"x"

    run(main())


def test_an_event_of_a_named_reader_is_finished_when_the_next_is_asked_for(ring: str, run: Run) -> None:
    async def two_and_gone() -> None:
        reader = ringlog.Reader(ring, name="n", start="oldest")
        async for event in reader:
            if event.sequence == 1:
                break
        reader.close()

    with ringlog.Writer(ring) as writer:
        writer.append_many([b"a", b"b", b"c"])
    run(two_and_gone())
    with ringlog.Reader(ring, name="n") as reader:
        assert reader.poll().data == b"b"


def test_an_overrun_is_raised_and_the_next_loop_goes_on(ring: str, run: Run) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring) as reader:
        for _ in range(10):
            writer.append(bytes(20_000))
        with pytest.raises(ringlog.Overrun) as caught:
            run(everything(reader))
        writer.end()
        assert len(run(everything(reader))) == 10 - caught.value.count
        with ringlog.Reader(ring, start=0, on_overrun="skip") as skipping:
            assert len(run(everything(skipping))) == 10 - skipping.lost


# ---- cancelled ----


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("told", [False, True])
def test_a_cancelled_task_takes_its_event_or_leaves_it(ring: str, run: Run, turns: int, told: bool) -> None:
    """Cancelled so many turns of the loop after the event came, with the descriptor readable or not yet."""

    async def main() -> None:
        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            task = asyncio.ensure_future(reader.__anext__())
            await waits(reader)
            writer.append(b"x")
            if told:
                wait_readable(reader)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, asyncio.CancelledError):
                assert (await reader.__anext__()).data == b"x"
            else:
                assert outcome.data == b"x"
                assert reader.poll() is None
            assert not reader._bells

    run(main())


def test_timeouts_lose_nothing(ring: str, run: Run, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        with ringlog.Writer(path) as writer:
            for k in range(300):
                writer.append(b"%d" % k)
                time.sleep(0.001)
            writer.end()
        """,
        ring,
    )

    async def main() -> tuple[list[bytes], int]:
        seen, timeouts = [], 0
        with ringlog.Reader(ring, start="oldest") as reader:
            while True:
                try:
                    event = await asyncio.wait_for(reader.__anext__(), 0.0005)
                except asyncio.TimeoutError:
                    timeouts += 1
                except StopAsyncIteration:
                    return seen, timeouts
                else:
                    seen.append(event.data)

    seen, timeouts = run(main())
    assert seen == [b"%d" % k for k in range(300)]
    assert timeouts
    child.finish()


def test_a_cancelled_wait_leaves_nothing_behind(ring: str, run: Run) -> None:
    async def main() -> None:
        with ringlog.Reader(ring) as reader:
            reader.fileno()
            before = open_descriptors()
            tasks = [asyncio.ensure_future(reader.__anext__()) for _ in range(3)]
            await waits(reader, tasks=3)
            assert open_descriptors() == before + 1
            for left in (2, 1, 0):
                tasks[left].cancel()
                await asyncio.gather(tasks[left], return_exceptions=True)
                assert len(reader._bells) == (left > 0)
            assert open_descriptors() == before

    run(main())


def test_a_loop_that_is_closed_with_a_task_waiting(ring: str, new_loop: NewLoop) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        reader.fileno()
        before = open_descriptors()
        loop = new_loop()
        coroutine = reader.__anext__()
        task = loop.create_task(coroutine)
        loop.run_until_complete(waits(reader))
        loop.close()
        coroutine.close()  # as collecting the task would
        task._log_destroy_pending = False
        del task, coroutine, loop
        assert not reader._bells
        assert open_descriptors() == before
        writer.append(b"x")
        assert reader.poll().data == b"x"


# ---- several tasks, loops and threads ----


def test_two_tasks_share_a_reader(ring: str, run: Run) -> None:
    async def main() -> list[list[bytes]]:
        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            tasks = [asyncio.ensure_future(everything(reader)) for _ in range(2)]
            for k in range(50):
                await waits(reader, tasks=2)
                writer.append_many([b"%d" % (k * 3 + j) for j in range(1 + k % 3)])
                wait_readable(reader)
            writer.end()
            return await asyncio.gather(*tasks)

    seen = run(main())
    assert sorted(int(data) for one in seen for data in one) == [
        k * 3 + j for k in range(50) for j in range(1 + k % 3)
    ]


def test_loops_in_several_threads_share_a_reader(ring: str, new_loop: NewLoop) -> None:
    seen: list[list[bytes]] = [[], [], []]

    def read(mine: list[bytes]) -> None:
        async def main() -> None:
            async for event in reader:
                mine.append(event.data)
                await asyncio.sleep(0)

        loop = new_loop()
        loop.run_until_complete(asyncio.wait_for(main(), 20))
        loop.close()

    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        for k in range(1000):
            writer.append(b"%d" % k)
        writer.end()
        for thread in threads:
            thread.join(20)
        assert not reader._bells
    assert sorted(int(data) for mine in seen for data in mine) == list(range(1000))


def test_others_get_a_turn_while_a_reader_is_busy(ring: str, run: Run) -> None:
    async def main() -> int:
        turns, done = 0, False

        async def count() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
            writer.append_many([b"x"] * 1000)
            writer.end()
            task = asyncio.ensure_future(count())
            assert len(await everything(reader)) == 1000
            done = True
            await task
        return turns

    assert 5 <= run(main()) <= 50


# ---- closed and removed ----


@pytest.mark.parametrize("where", ["in the loop", "in another thread"])
def test_closing_ends_the_wait(ring: str, run: Run, where: str) -> None:
    async def main() -> None:
        before = open_descriptors()
        reader = ringlog.Reader(ring)
        tasks = [asyncio.ensure_future(everything(reader)) for _ in range(2)]
        await waits(reader, tasks=2)
        if where == "in the loop":
            reader.close()
        else:
            await asyncio.get_running_loop().run_in_executor(None, reader.close)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, ringlog.ClosedError)
        with pytest.raises(ringlog.ClosedError):
            await reader.__anext__()
        assert not reader._bells
        assert open_descriptors() == before

    run(main())


def test_removing_ends_the_wait(ring: str, run: Run) -> None:
    async def main() -> None:
        with ringlog.Reader(ring) as reader:
            task = asyncio.ensure_future(everything(reader))
            await waits(reader)
            ringlog.unlink(ring)
            with pytest.raises(ringlog.RingRemoved):
                await task

    run(main())


def test_importing_ringlog_does_not_import_asyncio(ring: str) -> None:
    code = """
        with ringlog.Reader(path) as reader, ringlog.Writer(path) as writer:
            writer.append(b"x")
            try:
                reader.__anext__().send(None)
            except StopIteration as done:
                say(done.value.data, "asyncio" in sys.modules)
        """
    assert "b'x' False" in run_code(code, ring)
