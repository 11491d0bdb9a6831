"""Claims that meet a full ring, a close, an end, a removal or a fork."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Callable

import numpy as np
import pytest
from in_place_support import (
    CAPACITY,
    Boom,
    asleep_in_turn,
    assert_free,
    head,
    mapped,
)
from oracle import RingFile, decode
from processes import Child, asleep, eventually, run_forked

import ringlog

# ---- room ----


def test_a_reader_in_the_way(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.02) as writer,
        ringlog.Reader(ring_path, lossless=True) as reader,
    ):
        with pytest.raises(ringlog.RingFull):
            while True:
                with writer.claim(1000) as view:
                    view[:] = bytes(1000)
        count = head(ring_path)[1]
        assert count >= 60
        with RingFile(ring_path, writable=False) as file:
            assert file["owner"] == 0
        assert len(reader.read_many()) == count
        with writer.claim(1000) as view:
            view[:] = bytes([7]) * 1000
        assert reader.read(1).data == bytes([7]) * 1000


def test_it_waits_for_room(ring_path: str, spawn: Callable[..., Child]) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0) as writer:
        reader = spawn(
            """
            with ringlog.Reader(path, lossless=True) as reader:
                say("here")
                sys.stdin.readline()
                for event in reader:
                    assert event.data == event.data[:1] * 1000, event
                    say(event.sequence)
                    if event.data[0] == 255:
                        break
            """,
            ring_path,
        )
        assert reader.line() == "here"
        with pytest.raises(ringlog.RingFull):
            while True:
                writer.append(b"f" * 1000)
    full = head(ring_path)[1]
    with ringlog.Writer(ring_path, timeout=20) as writer:
        reader.tell()
        with writer.claim(1000) as view:
            view[:] = b"\xff" * 1000
    assert reader.finish().split() == [str(k) for k in range(full + 1)]


# ---- the end of things ----


def test_close_waits_for_the_block(ring_path: str) -> None:
    writer = ringlog.Writer(ring_path, capacity=CAPACITY)
    with writer.claim(1) as view:
        thread = threading.Thread(target=writer.close)
        thread.start()
        assert eventually(lambda: writer._state == "closed")  # it has begun
        assert eventually(lambda: asleep_in_turn(thread))
        view[:] = b"x"
    thread.join()
    with pytest.raises(ringlog.ClosedError):
        writer.claim(1)
    assert [event.data for event in decode(ring_path)] == [b"x"]
    assert_free(ring_path)
    assert mapped(ring_path) == 0


def test_close_in_the_block_is_refused_and_possible_behind_it(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer, writer.claim(1) as view:
        with pytest.raises(ringlog.WriterBusy):
            writer.close()
        view[:] = b"x"
    assert writer._state == "closed"
    assert len(decode(ring_path)) == 1


def test_the_end_by_another_process(
    ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]
) -> None:
    with writer.claim(1) as view:
        child = spawn("writer = ringlog.Writer(path); say('open'); writer.end(); writer.close()", ring_path)
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        assert not ringlog.info(ring_path).ended
        view[:] = b"x"
    child.finish()
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert [event.data for event in reader] == [b"x"]
    with writer.claim(1) as view:  # a stream that goes on
        view[:] = b"y"
    assert len(decode(ring_path)) == 2


def test_after_the_end(ring_path: str, writer: ringlog.Writer) -> None:
    writer.end()
    with pytest.raises(ringlog.StreamEnded):
        writer.claim(1)


def test_a_ring_removed_in_the_block(ring_path: str, writer: ringlog.Writer) -> None:
    remover = threading.Thread(target=ringlog.unlink, args=(ring_path,))
    claim = writer.claim(1)
    with pytest.raises(ringlog.RingRemoved), claim as view:
        remover.start()
        remover.join(20)
        assert not remover.is_alive()
        view[:] = b"x"
    assert claim.sequence is None
    with pytest.raises(ringlog.RingRemoved):
        writer.claim(1)


# ---- forks ----


@pytest.mark.parametrize("leave", ["cleanly", "with an exception", "by forgetting it", "holding its memory"])
def test_a_fork_in_the_block(ring_path: str, writer: ringlog.Writer, leave: str) -> None:
    """What the child writes stays its own; the block is the parent's."""
    writer.append(b"before")
    claim = writer.claim(100)
    with claim as view:
        view[:] = b"p" * 100

        def child() -> tuple[str, int]:
            nonlocal claim
            view[:] = b"c" * 100
            error: BaseException | None = None
            try:
                if leave == "with an exception":
                    claim.__exit__(Boom, Boom(), None)
                elif leave == "by forgetting it":
                    view.release()
                    claim = None  # type: ignore[assignment]
                elif leave == "holding its memory":
                    array = np.frombuffer(view, "u1")
                    try:
                        claim.__exit__(None, None, None)
                    finally:
                        array[:] = 0xDD
                else:
                    claim.__exit__(None, None, None)
            except ringlog.ClosedError as caught:
                error = caught
            try:
                writer.append(b"no")
            except ringlog.ClosedError:
                return type(error).__name__, os.getpid()
            return "appended", os.getpid()

        with RingFile(ring_path, writable=False) as file:
            owner = file["owner"]
            said = run_forked(child)[0]
            assert said == ("ClosedError" if leave in ("cleanly", "holding its memory") else "NoneType")
            assert (file["owner"], file.pair("head").sequence) == (owner, 1)
        assert bytes(view) == b"p" * 100
    assert claim.sequence == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"p" * 100]
    assert_free(ring_path)


def test_a_fork_where_memory_is_short(ring_path: str, writer: ringlog.Writer) -> None:
    """No private pages can be had for the child: then it can't write, rather than into the ring."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with writer.claim(100) as view:
        view[:] = b"p" * 100
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, hard))
        try:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                view[:] = b"c" * 100
                os._exit(0)
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        os.waitpid(pid, 0)
        assert bytes(view) == b"p" * 100
    assert decode(ring_path)[0].data == b"p" * 100


@pytest.mark.parametrize("touch", ["reads", "writes"])
def test_held_where_memory_is_short(ring_path: str, writer: ringlog.Writer, touch: str) -> None:
    """No private pages can be had: then what holds the memory can't write any more."""
    writer.append(b"before")

    def child() -> None:
        with ringlog.Writer(ring_path, timeout=20) as own:
            claim = own.claim(9000)
            array = np.frombuffer(claim.__enter__(), "u1")
            resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with contextlib.suppress(BufferError):
                claim.__exit__(None, None, None)
            own.append(b"its own")
            if touch == "writes":
                array[:] = 0xEE
            os._exit(0 if array[0] >= 0 else 1)

    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        try:
            child()
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == (0 if touch == "reads" else -signal.SIGSEGV)
    assert [event.data for event in decode(ring_path)] == [b"before", b"its own"]
    assert_free(ring_path)


def test_a_child_claims_with_a_writer_of_its_own(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(1) as view:
        view[:] = b"a"

    def child() -> int | None:
        with ringlog.Writer(ring_path, timeout=20) as own:
            claim = own.claim(1)
            with claim as view:
                view[:] = b"b"
            return claim.sequence

    assert run_forked(child) == 1
    with writer.claim(1) as view:
        view[:] = b"c"
    assert [event.data for event in decode(ring_path)] == [b"a", b"b", b"c"]
