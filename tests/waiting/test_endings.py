"""Waits that end because there is nothing to wait for: closed, ended, removed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from oracle import RingFile
from processes import NOBODY, Child, eventually, run
from test_waiting import READERS, in_thread, sleeping

import ringlog

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


def waits_for_room(path: str) -> bool:
    with RingFile(path, writable=False) as file:
        return bool(file["room_wanted"])


def crowd(path: str, **options: object) -> tuple[ringlog.Writer, threading.Thread, list[object]]:
    """A writer that waits for room in another thread."""
    writer = ringlog.Writer(path, **options)
    thread, outcome = in_thread(lambda: [writer.append(bytes(30_000)) for _ in range(4)])
    eventually(lambda: waits_for_room(path))
    return writer, thread, outcome


# ---- closed ----


@pytest.mark.parametrize("wait", READERS)
@pytest.mark.parametrize("lossless", [False, True])
def test_closing_a_reader_that_waits_in_another_thread(ring: str, wait: str, lossless: bool) -> None:
    reader = ringlog.Reader(ring, wait=wait, lossless=lossless)
    begun = threading.Event()

    def read() -> ringlog.Event:
        begun.set()
        return reader.read()

    thread, outcome = in_thread(read)
    begun.wait(20)
    if wait in ("adaptive", "sleep"):
        eventually(lambda: sleeping(ring))
    reader.close()
    thread.join(20)
    assert [type(error) for error in outcome] == [ringlog.ClosedError]
    assert ringlog.info(ring).readers == ()


def test_closing_a_writer_that_waits_in_another_thread(ring: str) -> None:
    with ringlog.Reader(ring, lossless=True):
        writer, thread, outcome = crowd(ring)
        writer.close()
        thread.join(20)
        assert [type(error) for error in outcome] == [ringlog.ClosedError]
        assert ringlog.info(ring).event_count == 2
        assert ringlog.info(ring).writers == ()


# ---- ended ----


@pytest.mark.parametrize("way", ["poll", "read", "read_many", "iterate"])
def test_the_end_comes_after_the_last_event(ring: str, way: str) -> None:
    with ringlog.Reader(ring) as reader:
        with ringlog.Writer(ring) as writer:
            writer.append_many([b"a", b"b"])
            writer.end()
        assert ringlog.info(ring).ended
        if way == "iterate":
            assert [event.data for event in reader] == [b"a", b"b"]
            assert list(reader) == []
            return
        assert [event.data for event in reader.read_many()] == [b"a", b"b"]
        for _ in range(2):
            with pytest.raises(ringlog.StreamEnded) as caught:
                getattr(reader, way)()
            assert isinstance(caught.value, EOFError)


def test_an_empty_stream_can_end(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.end()
    with ringlog.Reader(ring, start="oldest") as reader:
        assert list(reader) == []


@pytest.mark.parametrize("way", ["read", "read_many", "iterate"])
def test_the_end_wakes(ring: str, way: str) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        calls: dict[str, Callable[[], object]] = {
            "read": reader.read,
            "read_many": lambda: reader.read_many(timeout=20),
            "iterate": lambda: list(reader),
        }
        thread, outcome = in_thread(calls[way])
        eventually(lambda: sleeping(ring))
        writer.end()
        thread.join(20)
        if way == "iterate":
            assert outcome == [[]]
        else:
            assert [type(error) for error in outcome] == [ringlog.StreamEnded]


def test_an_ended_writer_is_done_and_a_later_one_goes_on(ring: str) -> None:
    with ringlog.Reader(ring) as reader:
        with ringlog.Writer(ring) as writer:
            writer.append(b"a")
            writer.end()
            for call in (lambda: writer.append(b"b"), lambda: writer.append_many([b"b"]), writer.end):
                with pytest.raises(ringlog.StreamEnded):
                    call()
        assert [event.data for event in reader] == [b"a"]
        with ringlog.Writer(ring) as writer:
            assert ringlog.info(ring).ended  # until it appends
            assert writer.append(b"b") == 1
        assert not ringlog.info(ring).ended
        assert reader.poll().data == b"b"
        assert reader.poll() is None
        with ringlog.Writer(ring) as writer:
            writer.end()
        assert list(reader) == []


def test_another_writer_may_go_on_beside_the_ended_one(ring: str) -> None:
    with ringlog.Writer(ring) as first, ringlog.Writer(ring) as second:
        first.append(b"a")
        first.end()
        assert second.append(b"b") == 1
    with ringlog.Reader(ring, start="oldest") as reader:
        assert [event.data for event in reader.read_many()] == [b"a", b"b"]


# ---- removed ----


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("way", ["poll", "read", "read_many", "iterate"])
def test_readers_of_a_removed_ring_read_what_is_there(ring: str, way: str, lossless: bool) -> None:
    with ringlog.Reader(ring, lossless=lossless) as reader:
        with ringlog.Writer(ring) as writer:
            writer.append_many([b"a", b"b"])
        ringlog.unlink(ring)
        assert [event.data for event in reader.read_many()] == [b"a", b"b"]
        for _ in range(2):
            with pytest.raises(ringlog.RingRemoved, match=ring):
                next(reader) if way == "iterate" else getattr(reader, way)()


def test_removing_wakes_a_reader(ring: str) -> None:
    with ringlog.Reader(ring) as reader:
        thread, outcome = in_thread(reader.read)
        eventually(lambda: sleeping(ring))
        ringlog.unlink(ring)
        thread.join(20)
        assert [type(error) for error in outcome] == [ringlog.RingRemoved]


def test_a_waiting_reader_notices_a_plain_rm(ring: str) -> None:
    semaphore = f"/dev/shm/sem.ringlog-{RingFile(ring).raw('file_id').hex()}"
    with ringlog.Reader(ring) as reader:
        thread, outcome = in_thread(reader.read)
        eventually(lambda: sleeping(ring))
        os.unlink(ring)
        thread.join(20)
        assert [type(error) for error in outcome] == [ringlog.RingRemoved]
    os.unlink(semaphore)


@pytest.mark.parametrize("how", ["rm", "cut"])
@pytest.mark.parametrize(
    "call",
    [
        lambda reader: reader.read(0.01),
        lambda reader: reader.read_many(timeout=0.01),
        lambda reader: reader.read_batch(timeout=0.01),
        lambda reader: reader.view(0.01),
    ],
    ids=["read", "read_many", "read_batch", "view"],
)
def test_who_waits_in_short_calls_notices_too(
    ring: str, call: Callable[[ringlog.Reader], object], how: str
) -> None:
    expected = ringlog.RingRemoved if how == "rm" else ringlog.StreamTruncated
    reader = ringlog.Reader(ring)
    semaphore = ringlog.lock.semaphore_name(reader._mapping.snapshot()["file_id"])
    if how == "rm":
        os.unlink(ring)
    else:
        os.truncate(ring, os.path.getsize(ring) // 2)

    def told() -> bool:
        try:
            call(reader)
        except TimeoutError:
            return False
        except expected:
            return True
        return False

    eventually(told)
    reader.close()
    ringlog.lock.remove_semaphore(semaphore)


def test_the_writer_of_a_removed_ring(ring: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.append(b"a")
        ringlog.unlink(ring)
        for call in (lambda: writer.append(b"b"), lambda: writer.append_many([b"b"]), writer.end):
            with pytest.raises(ringlog.RingRemoved, match=ring):
                call()
    assert not os.path.exists(ring)


def test_a_writer_notices_a_plain_rm_within_a_stride(ring: str) -> None:
    semaphore = f"/dev/shm/sem.ringlog-{RingFile(ring).raw('file_id').hex()}"
    with ringlog.Writer(ring) as writer:
        os.unlink(ring)
        with pytest.raises(ringlog.RingRemoved):
            [writer.append(bytes(500)) for _ in range(5)]
    os.unlink(semaphore)


def test_removing_wakes_a_writer_that_waits_for_room(ring: str) -> None:
    with ringlog.Reader(ring, lossless=True):
        writer, thread, outcome = crowd(ring)
        ringlog.unlink(ring)
        thread.join(20)
        assert [type(error) for error in outcome] == [ringlog.RingRemoved]
        writer.close()


def test_a_new_ring_of_the_same_name_is_another(ring: str) -> None:
    with ringlog.Reader(ring) as old:
        ringlog.unlink(ring)
        with ringlog.Writer(ring, capacity=65536) as writer, ringlog.Reader(ring) as new:
            writer.append(b"new")
            assert new.poll().data == b"new"
            with pytest.raises(ringlog.RingRemoved):
                old.poll()


# ---- with read permission alone ----


@as_root
def test_a_read_only_reader_reads_waits_and_changes_nothing(ring: str, spawn: Callable[..., Child]) -> None:
    os.chmod(ring, 0o644)
    with ringlog.Writer(ring) as writer:
        writer.append(b"before")
        before = RingFile(ring).memory[:]
        child = spawn(
            """
            reader = ringlog.Reader(path, start="oldest")
            say(reader.poll().data, ringlog.info(path).event_count)
            for event in reader:
                say(event.data)
            say("ended")
            for change in ("ringlog.Writer(path)", "ringlog.Reader(path, lossless=True)",
                           "ringlog.Reader(path, name='n')", "ringlog.forget(path, 'n')",
                           "open(path, 'r+b')", "ringlog.unlink(path)"):
                try:
                    eval(change)
                    say("could", change)
                except PermissionError:
                    pass
            with open("/proc/self/maps") as maps:
                say(sum(line.endswith(path + "\\n") and "w" in line.split()[1] for line in maps))
            reader.close()
            """,
            ring,
            user=NOBODY,
        )
        assert child.line() == "b'before' 1"
        assert RingFile(ring).memory[:] == before
        writer.append(b"after")
        assert child.line() == "b'after'"
        writer.end()
        assert child.line() == "ended"
        assert child.line() == "0"
        child.finish()


@as_root
def test_a_read_only_reader_hears_of_the_removal(ring: str, spawn: Callable[..., Child]) -> None:
    os.chmod(ring, 0o644)
    child = spawn(
        """
        with ringlog.Reader(path) as reader:
            say("ready")
            try:
                reader.read()
            except ringlog.RingRemoved:
                say("removed")
        """,
        ring,
        user=NOBODY,
    )
    child.line()
    ringlog.unlink(ring)
    assert child.line() == "removed"
    child.finish()


def test_a_file_without_write_permission_is_mapped_read_only(ring: str) -> None:
    """What a mapping of a reader with write permission could change: the header, and nothing else."""
    code = """
        with ringlog.Reader(path) as reader, open("/proc/self/maps") as maps:
            lines = [line.split() for line in maps if line.endswith(path + "\\n")]
            say(*sorted((line[1], line[2] != "00000000") for line in lines))
        """
    assert run(code, ring).split("\n")[0] == "('r--s', True) ('r--s', True) ('rw-s', False)"
