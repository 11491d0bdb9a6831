"""`async for` of several tasks, loops and threads, and of readers that are closed or removed."""

from __future__ import annotations

import asyncio
import threading

import pytest
from descriptor_support import NewLoop, Run, everything, open_descriptors, wait_readable, waits
from processes import run as run_code

import ringlog

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
