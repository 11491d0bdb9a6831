"""`async for event in reader`: under asyncio and uvloop, every event once, whoever is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from descriptor_support import NewLoop, Run, everything, open_descriptors, wait_readable, waits
from processes import Child

import ringlog

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
