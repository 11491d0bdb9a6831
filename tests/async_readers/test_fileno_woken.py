"""fileno(): who makes it readable, and what that costs; what ends it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from descriptor_support import (
    native_threads,
    readable,
    rung,
    sleeping,
    stays_quiet,
    the_native_thread,
    wait_readable,
)
from oracle import RingFile
from processes import Child, eventually

import ringlog

# ---- woken, by whom and at what cost ----


def test_another_process_and_back_many_times(rings: list[str], spawn: Callable[..., Child]) -> None:
    """Were any of the two ever not woken, it would find out only after a tenth of a second."""
    there, back, _ = rings
    child = spawn(
        """
        import select
        with ringlog.Reader(path) as reader, ringlog.Writer(sys.argv[2]) as writer:
            reader.fileno()
            say("ready")
            while True:
                select.select([reader], [], [])
                for event in reader.read_many():
                    writer.append(event.data)
                    if event.data == b"last":
                        sys.exit()
        """,
        there,
        back,
    )
    child.line()
    with ringlog.Writer(there) as writer, ringlog.Reader(back) as reader:
        for k in range(1000):
            data = b"%d" % k if k < 999 else b"last"
            writer.append(data)
            wait_readable(reader)
            assert reader.poll().data == data
            assert reader.poll() is None
    child.finish()


def test_a_busy_writer_rings_nobody_while_the_descriptor_is_readable(ring: str) -> None:
    with ringlog.Reader(ring, on_overrun="skip") as reader, ringlog.Writer(ring) as writer:
        reader.fileno()
        eventually(lambda: sleeping(ring))
        writer.append(b"x")
        wait_readable(reader)
        before = rung(ring)
        assert before >= 1
        for _ in range(2000):
            writer.append(b"x")
        assert rung(ring) <= before + 1  # the thread may have announced again while the first event came
        while reader.poll():
            pass
        eventually(lambda: sleeping(ring))
        before = rung(ring)
        writer.append(b"x")
        wait_readable(reader)
        assert rung(ring) == before + 1


def test_a_writer_that_died_before_it_could_ring(ring: str) -> None:
    with ringlog.Reader(ring) as reader, RingFile(ring) as file:
        reader.fileno()
        eventually(lambda: file["sleepers"])
        file["ended"] = file["write_offset"]  # news, and no wake-up
        wait_readable(reader)
        with pytest.raises(ringlog.StreamEnded):
            reader.poll()


def test_many_readers_of_several_rings(rings: list[str]) -> None:
    readers = [ringlog.Reader(path) for path in rings for _ in range(20)]
    assert not select.select(readers, [], [], 0)[0]
    for path in rings:
        with ringlog.Writer(path) as writer:
            writer.append(path.encode())
    for reader in readers:
        wait_readable(reader)
        event = reader.poll()
        assert event is not None
        assert event.data == reader._path.encode()
        assert reader.poll() is None
    assert not select.select(readers, [], [], 0)[0]
    assert the_native_thread()
    for reader in readers:
        reader.close()


def test_more_rings_than_the_kernel_waits_for_at_once(ring_folder: Path) -> None:
    paths = [str(ring_folder / f"{k}") for k in range(140)]
    for path in paths:
        ringlog.create(path, 65536, max_readers=1)
    readers = [ringlog.Reader(path) for path in paths]
    assert not select.select(readers, [], [], 0)[0]
    for path, reader in zip(paths, readers, strict=True):
        with ringlog.Writer(path) as writer:
            writer.append(b"x")
        wait_readable(reader)
        assert len(reader.read_many()) == 1
    assert not select.select(readers, [], [], 0)[0]
    for reader in readers:
        reader.close()


def test_every_event_once_while_readers_come_and_go(ring: str, spawn: Callable[..., Child]) -> None:
    """Watches that begin and end, in several threads, beside one that goes on."""
    child = spawn(
        """
        with ringlog.Writer(path, timeout=20) as writer:
            say("ready")
            for k in range(3000):
                writer.append(b"%d" % k)
            writer.end()
        """,
        ring,
    )
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            with ringlog.Reader(ring, on_overrun="skip") as passing:
                passing.fileno()

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    try:
        with ringlog.Reader(ring, lossless=True, start="oldest") as reader:
            for thread in threads:
                thread.start()
            seen: list[int] = []
            with contextlib.suppress(ringlog.StreamEnded):
                while True:
                    wait_readable(reader)
                    seen += [int(event.data) for event in reader.read_many()]
            assert seen == list(range(3000))
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    child.finish()


# ---- what ends it ----


def test_the_end_stays_readable_and_a_later_writer_goes_on(ring: str) -> None:
    with ringlog.Reader(ring) as reader:
        reader.fileno()
        with ringlog.Writer(ring) as writer:
            writer.append(b"last")
            wait_readable(reader)
            assert len(reader.read_many()) == 1
            assert not readable(reader)
            writer.end()
        wait_readable(reader)
        for _ in range(3):
            with pytest.raises(ringlog.StreamEnded):
                reader.poll()
            assert readable(reader)
        with ringlog.Writer(ring) as writer:
            writer.append(b"more")
            assert len(reader.read_many()) == 1
            assert stays_quiet(reader)
            writer.append(b"and more")
            writer.end()
        assert len(reader.read_many()) == 1  # nothing behind it, but the end is news
        wait_readable(reader)


def test_a_stream_that_had_ended_before(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.end()
    with ringlog.Reader(ring) as reader:
        assert readable(reader)


def test_removed_by_another_process(ring: str, spawn: Callable[..., Child]) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        assert not readable(reader)
        spawn("ringlog.unlink(path)", ring).finish()
        wait_readable(reader)
        for _ in range(3):
            with pytest.raises(ringlog.RingRemoved):
                reader.poll()
            assert readable(reader)
        with pytest.raises(ringlog.RingRemoved):
            writer.append(b"x")


def test_what_was_there_before_a_plain_rm_is_read_first(ring: str) -> None:
    semaphore = f"/dev/shm/sem.ringlog-{RingFile(ring).raw('file_id').hex()}"
    with ringlog.Reader(ring) as reader, ringlog.Reader(ring) as quiet:
        with ringlog.Writer(ring) as writer:
            assert not readable(quiet)
            os.unlink(ring)
            wait_readable(quiet)
            writer.append(b"last")
        assert [event.data for event in quiet.read_many()] == [b"last"]
        for _ in range(2):
            with pytest.raises(ringlog.RingRemoved):
                quiet.poll()
            assert readable(quiet)
        assert reader.poll().data == b"last"  # no descriptor asked for: nothing has changed for it
        assert reader.poll() is None
    os.unlink(semaphore)


def test_close_closes_it_and_wakes_who_waits(ring: str) -> None:
    reader = ringlog.Reader(ring)
    poll, outcome = select.poll(), []
    fd = reader.fileno()
    poll.register(fd, select.POLLIN)
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        outcome.append(poll.poll(20_000))

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait(20)
    reader.close()
    thread.join(20)
    assert outcome[0]  # POLLIN if it slept, POLLNVAL if it had not begun to
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    with pytest.raises(ringlog.ClosedError):
        reader.fileno()


def test_a_reader_that_was_never_closed(ring: str) -> None:
    reader = ringlog.Reader(ring)
    fd = reader.fileno()
    with pytest.warns(ResourceWarning):
        del reader
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_the_thread_ends_and_begins_again(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        for k in range(100):
            with ringlog.Reader(ring) as reader:
                assert not readable(reader)
                writer.append(b"x")
                wait_readable(reader)
                if k % 10 == 0:
                    assert the_native_thread()
            if k % 3 == 0:  # otherwise the next may register while it is about to end
                eventually(lambda: not list(native_threads()))


def test_the_thread_takes_no_signals(ring: str) -> None:
    with ringlog.Reader(ring) as reader:
        reader.fileno()
        task = the_native_thread()

        def unblocked() -> set[int]:
            lines = (task / "status").read_text().splitlines()
            (blocked,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
            return {k for k in signal.valid_signals() if not blocked >> (k - 1) & 1}

        # Those that its own instructions may raise, and those that nobody can block.
        own = {signal.SIGBUS, signal.SIGSEGV, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
        eventually(lambda: unblocked() == own | {signal.SIGKILL, signal.SIGSTOP})


def test_no_descriptor_left(ring: str, spawn: Callable[..., Child]) -> None:
    spawn(
        """
        import resource
        with ringlog.Reader(path) as reader, ringlog.Writer(path) as writer:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
            try:
                reader.fileno()
            except OSError as error:
                assert error.errno == 24, error
            else:
                raise AssertionError("there was one left")
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            reader.fileno()
        """,
        ring,
    ).finish()
