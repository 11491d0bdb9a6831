"""Views whose memory is held, shared by threads, or inherited by a forked child."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest
from in_place_support import (
    SIZE,
    Boom,
    areas,
    cursor,
    fill,
    mapped,
    opened,
    tail,
)
from processes import run, run_forked

import ringlog

TIMEOUT = 0.02  # of the `writer`

# ---- memory that is held on to ----


HOLDERS: dict[str, Callable[[memoryview], object]] = {
    "a slice": lambda data: data[1:],
    "a cast": lambda data: data.cast("H"),
    "another memoryview": memoryview,
    "a memoryview of what is beneath": lambda data: memoryview(data.obj),
    "an array": lambda data: np.frombuffer(data, "u1"),
}


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_held_memory_is_refused(
    ring_path: str, writer: ringlog.Writer, hold: Callable[[memoryview], object], lossless: bool
) -> None:
    fill(writer, 3)
    with ringlog.Reader(ring_path, start="oldest", lossless=lossless) as reader:
        with pytest.raises(BufferError), opened(reader.view()) as event:
            held = hold(event.data)
        with pytest.raises(Boom), opened(reader.view()) as event:
            other = hold(event.data)
            raise Boom
        assert reader.read(1).sequence == 2
        if lossless:
            assert cursor(ring_path) == 3
        assert fill(writer, 200) == 200 or lossless
    assert len(memoryview(held).tobytes()) >= SIZE - 1  # type: ignore[arg-type]
    assert len(memoryview(other).tobytes()) >= SIZE - 1  # type: ignore[arg-type]


def test_held_memory_outlives_everything() -> None:
    """In a process of its own: it must not crash."""
    said = run(
        """
        import gc, numpy, tempfile
        folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        path = os.path.join(folder, "ring")
        writer = ringlog.Writer(path, capacity=1 << 16)
        arrays = []
        for lossless in (False, True, False):
            reader = ringlog.Reader(path, lossless=lossless)
            for size in (8, 30000, 3):
                writer.append(b"x" * size)
                view = reader.view()
                event = view.__enter__()
                arrays.append(numpy.frombuffer(event.data, "u1"))
                arrays.append(event.data[1:])
                try:
                    view.__exit__(None, None, None)
                except BufferError:
                    say("held")
            reader.close()
        claim = writer.claim(20000)
        arrays.append(numpy.frombuffer(claim.__enter__(), "u1"))
        try:
            claim.__exit__(None, None, None)
        except BufferError:
            say("held")
        writer.close()
        ringlog.unlink(path)
        os.rmdir(folder)
        del writer, reader, view, event, claim
        gc.collect()
        say(sum(int(bytes(a)[-1]) >= 0 for a in arrays))
        arrays[-1][:] = 7
        arrays.reverse()
        while arrays:
            arrays.pop()
            gc.collect()
        say(sum(path in line for line in open("/proc/self/maps")))
        """
    )
    assert said.split() == ["held"] * 10 + ["19", "0"]


def test_nothing_is_leaked(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 60)
    with ringlog.Reader(ring_path, start="oldest") as reader:

        def use() -> None:
            reader.seek(tail(ring_path))
            with opened(reader.view()) as event:
                assert event.data
            reader.view()
            with pytest.raises(Boom), opened(reader.view()):
                raise Boom
            with pytest.raises(BufferError), opened(reader.view()) as event:
                held = [np.frombuffer(event.data, "u1")]
            held.clear()

        use()
        kinds = [type(reader.view()), type(opened(reader.view()).__enter__())]
        gc.collect()
        pieces, count = mapped(ring_path), areas()
        counts = [sys.getrefcount(thing) for thing in (reader, *kinds)]
        for _ in range(100):
            use()
        gc.collect()
        assert [sys.getrefcount(thing) for thing in (reader, *kinds)] == counts
        assert mapped(ring_path) == pieces
        assert areas() <= count + 10
    writer.close()
    assert mapped(ring_path) == 0


# ---- threads and forks ----


def test_threads_share_a_reader(ring_path: str, writer: ringlog.Writer) -> None:
    """Each event goes to one of them, and the writer comes round to none that is looked at."""
    with ringlog.Writer(ring_path, timeout=20) as patient, ringlog.Reader(ring_path, lossless=True) as reader:
        seen: list[list[int]] = [[], [], []]

        def run(mine: list[int]) -> None:
            while True:
                try:
                    view = reader.view(timeout=20)
                except ringlog.StreamEnded:
                    return
                with opened(view) as event:
                    assert bytes(event.data[:6]) == b"%06d" % event.sequence
                    mine.append(event.sequence)

        threads = [threading.Thread(target=run, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        assert fill(patient, 500) == 500
        patient.end()
        for thread in threads:
            thread.join()
        assert sorted(seen[0] + seen[1] + seen[2]) == list(range(500))
        assert (reader.lost, cursor(ring_path)) == (0, 500)


def test_a_lossy_one_goes_on_after_a_fork(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    with ringlog.Reader(ring_path, start="oldest") as reader, opened(reader.view()) as event:

        def child() -> tuple[bytes, int, int]:
            first = bytes(event.data[:6])
            with opened(reader.view()) as another:
                return first, another.sequence, reader.sequence

        assert run_forked(child) == (b"000000", 1, 2)
        assert reader.sequence == 1

        def closing() -> bytes:
            reader.close()
            return bytes(event.data[:6])

        assert run_forked(closing) == b"000000"


@pytest.mark.parametrize("name", [None, "n"])
def test_a_cursor_is_the_parents(ring_path: str, writer: ringlog.Writer, name: str | None) -> None:
    fill(writer, 5)
    with ringlog.Reader(ring_path, start="oldest", lossless=True, name=name) as reader:
        view = opened(reader.view())
        with view as event:

            def child() -> tuple[bytes, str]:
                nonlocal view
                data = bytes(event.data[:6])
                view.__exit__(None, None, None)
                try:
                    reader.view()
                except ringlog.ClosedError:
                    reader.close()
                    return data, "closed"
                return data, "open"

            assert run_forked(child) == (b"000000", "closed")
            assert cursor(ring_path) == 0
            reader.read_many(3)
            assert fill(writer, 100) < 65
            assert event.data[:6] == b"000000"
        reader.poll()
        assert cursor(ring_path) == (4 if name else 5)
