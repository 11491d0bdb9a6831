"""Killed C writers and readers, killed Python ones beside C, and a semaphore that is not what it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import posix_ipc
import pytest
from processes import GENEROUS, Child, eventually
from programs import CAPACITY, Start, feed, fill, finish, lines, ready

import ringlog
from ringlog.lock import semaphore_name


def lose(name: str) -> None:
    posix_ipc.unlink_semaphore(name)


def empty(name: str) -> None:
    semaphore = posix_ipc.Semaphore(name)
    semaphore.acquire(0)
    semaphore.close()


def overfill(name: str) -> None:
    semaphore = posix_ipc.Semaphore(name)
    for _ in range(300):
        semaphore.release()
    semaphore.close()


@pytest.mark.parametrize("spoil", [lose, empty, overfill])
def test_whatever_becomes_of_the_semaphore(
    start: Start, ring_path: str, spoil: Callable[[str], None]
) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20, timeout=GENEROUS) as writer:
        early = start("writer", ring_path)
        feed(early, b"first\n", end=False)
        eventually(lambda: ringlog.info(ring_path).event_count)
        spoil(semaphore_name(Path(ring_path).read_bytes()[144:160]))
        late = start("writer", ring_path)
        for k, process in enumerate((early, late)):
            feed(process, b"".join(b"%d %d\n" % (k, n) for n in range(2000)))
        for n in range(2000):
            writer.append(b"2 %d" % n)
        finish(early)
        finish(late)
    with ringlog.Reader(ring_path, start=1) as reader:
        events = [tuple(map(int, event.data.split())) for event in reader.read_many(10_000)]
    assert sorted(events) == [(who, n) for who in range(3) for n in range(2000)]
    for who in range(3):
        assert [n for each, n in events if each == who] == list(range(2000))
    assert ringlog.verify(ring_path).ok


# ---- killed ----


@pytest.mark.parametrize(
    ("point", "hits"),
    [("lock_taken", 0), ("entry_copied", 5), ("entry_sealed", 5), ("publish_counted", 5), ("head_invalid", 5),
     ("head_record", 5), ("head_stored", 5), ("tail_record", 1), ("tail_stored", 1), ("gate_sequence", 1),
     ("mark_invalid", 1), ("mark_written", 3)],
)  # fmt: skip
def test_a_killed_c_writer_is_succeeded(
    start: Start, ring_path: str, built: Path, point: str, hits: int
) -> None:
    if hits == 0:  # a point of the binding alone: the C writer never passes it
        ringlog.create(ring_path, CAPACITY)
        finish(start("doomed", ring_path, point, 1, 3))
        return
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Reader(ring_path, on_overrun="skip") as reader:
        doomed = start("doomed", ring_path, point, hits, 10_000)
        said, _ = finish(doomed, code=-signal.SIGKILL)
        acknowledged = len(said.split())
        with ringlog.Writer(ring_path, timeout=GENEROUS) as heir:
            sequence = heir.append(b"next")
        assert sequence in (acknowledged, acknowledged + 1)
        events = reader.read_many(100_000)
        assert reader.lost + len(events) == sequence + 1
        assert [event.data for event in events[:-1]] == [
            b"doomed %d" % event.sequence for event in events[:-1]
        ]
        assert events[-1].data == b"next"
    assert ringlog.verify(ring_path).ok


@pytest.mark.parametrize("point", ["entry_copied", "head_record", "head_stored", "tail_stored"])
def test_a_c_writer_succeeds_a_killed_python_writer(start: Start, ring_path: str, point: str) -> None:
    from ringlog.testing import kill_writer_at

    ringlog.create(ring_path, CAPACITY)
    kill_writer_at(point, ring_path, hits=3)
    published = ringlog.info(ring_path).event_count
    finish(start("writer", ring_path), b"next\n")
    with ringlog.Reader(ring_path, start=published) as reader:
        assert reader.read(timeout=GENEROUS).data == b"next"
    assert ringlog.verify(ring_path).ok


def test_a_killed_cpp_reader_holds_nobody_up(start: Start, ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        reader = start("reader", "--lossless", ring_path)
        ready(reader)
        reader.send_signal(signal.SIGSTOP)
        with ringlog.Writer(ring_path, timeout=0) as impatient, pytest.raises(ringlog.RingFull):
            fill(impatient)
        reader.kill()
        fill(writer)


def test_a_c_writer_is_not_held_up_by_a_dead_python_reader(
    start: Start, ring_path: str, spawn: Callable[..., Child]
) -> None:
    ringlog.create(ring_path, CAPACITY)
    child = spawn(
        'r = ringlog.Reader(path, start="oldest", name="gone"); say("in"); sys.stdin.read()', ring_path
    )
    assert child.line() == "in"
    sent = b"".join(line + b"\n" for line in lines(1000))
    _, said = finish(start("writer", "--timeout", "0.05", ring_path), sent, code=1)
    assert "timed out" in said
    full = ringlog.info(ring_path).event_count
    assert 0 < full < 1000
    child.kill()
    finish(start("writer", "--timeout", "20", ring_path), sent)
    assert ringlog.info(ring_path).event_count == full + 1000
    with ringlog.Reader(ring_path, name="gone") as reader, pytest.raises(ringlog.Overrun) as caught:
        reader.read(timeout=0)
    assert caught.value.first == 0
