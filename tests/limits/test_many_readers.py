"""A thousand lossy readers, as many lossless ones as a ring has slots for, and one more."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from oracle import HEADER_SIZE, NAMED, READER_SLOT_SIZE, SLOT_PARKED, RingFile
from processes import Child, eventually

import ringlog

CAPACITY = 1 << 16

# Many readers in one process, each read to the end. Every event says its own sequence; whatever a reader did
# not get, it was told of.
READ_ALL = """
count, total, lossless = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "lossless"
readers = [ringlog.Reader(path, start="oldest", lossless=lossless) for _ in range(count)]
say("ready")
got = lost = 0
while readers:
    for reader in list(readers):
        try:
            for sequence, _, data in reader.read_many(500, 0.01):
                assert data == b"%d" % sequence, (sequence, data)
                got += 1
        except ringlog.Overrun as overrun:
            assert overrun.count == overrun.last - overrun.first + 1
            lost += overrun.count
        except ringlog.StreamEnded:
            assert reader.sequence == total
            readers.remove(reader)
            reader.close()
assert got + lost == count * total, (got, lost)
say(got, lost)
"""

HOLD = """
reader = ringlog.Reader(path, lossless=True)
say("attached")
sys.stdin.readline()
"""


def publish(path: str, total: int, batch: int) -> None:
    with ringlog.Writer(path, timeout=60) as writer:
        for first in range(0, total, batch):
            writer.append_many([b"%d" % k for k in range(first, min(first + batch, total))])
        writer.end()


def test_a_thousand_lossy_readers(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Each gets every event that it was not told to be lost. There is nothing to run out of."""
    total = 4000
    ringlog.create(ring_path, CAPACITY)
    children = [spawn(READ_ALL, ring_path, 250, total, "lossy") for _ in range(4)]
    for child in children:
        assert child.line(60) == "ready"
    assert ringlog.info(ring_path).readers == ()
    publish(ring_path, total, 50)
    sums = [tuple(map(int, child.finish(100).split())) for child in children]
    assert sum(got + lost for got, lost in sums) == 1000 * total
    assert sum(got for got, _ in sums) >= 1000 * ringlog.verify(ring_path).events


def test_sixty_four_lossless_readers(ring_path: str, spawn: Callable[..., Child]) -> None:
    """As many as a ring has slots for by default, in the smallest ring: the writer waits for all of them."""
    ringlog.create(ring_path, CAPACITY)
    total = 10_000
    children = [spawn(READ_ALL, ring_path, 16, total, "lossless") for _ in range(4)]
    for child in children:
        assert child.line(60) == "ready"
    assert len(ringlog.info(ring_path).readers) == 64
    with pytest.raises(ringlog.TooManyReaders, match="all 64 reader slots"):
        ringlog.Reader(ring_path, lossless=True)
    publish(ring_path, total, 100)
    for child in children:
        assert child.finish(100) == f"{16 * total} 0\n"
    assert ringlog.info(ring_path).readers == ()
    ringlog.Reader(ring_path, lossless=True).close()


@pytest.mark.parametrize("readers", [1, 2])
def test_slots_of_the_dead_can_be_had_again(
    ring_path: str, spawn: Callable[..., Child], readers: int
) -> None:
    ringlog.create(ring_path, CAPACITY, max_readers=readers)
    for _ in range(2):
        children = [spawn(HOLD, ring_path) for _ in range(readers)]
        for child in children:
            assert child.line() == "attached"
        with pytest.raises(ringlog.TooManyReaders):
            ringlog.Reader(ring_path, lossless=True)
        ringlog.Reader(ring_path).close()  # a lossy one needs none
        children[0].kill()
        with ringlog.Reader(ring_path, lossless=True) as last:
            with pytest.raises(ringlog.TooManyReaders):
                ringlog.Reader(ring_path, name="n")
            assert last.poll() is None
        for child in children[1:]:
            child.tell()
            child.finish()
    eventually(lambda: not [r for r in ringlog.info(ring_path).readers if r.state != "dead"])


def test_the_largest_table_of_readers(ring_path: str) -> None:
    """4,096 slots, all but one of them kept by names whose readers are gone."""
    ringlog.create(ring_path, CAPACITY, max_readers=4096)
    with RingFile(ring_path) as file:
        for slot in range(4095):
            at = HEADER_SIZE + slot * READER_SLOT_SIZE
            name = b"name %d" % slot
            struct.pack_into("<Q", file.memory, at, 1 << 8 | SLOT_PARKED)
            struct.pack_into("<I", file.memory, at + 32, NAMED)
            struct.pack_into("<qqq", file.memory, at + 64, 24, 24, 0)
            struct.pack_into("<B63s", file.memory, at + 128, len(name), name)
    assert len(ringlog.info(ring_path).readers) == 4095
    assert ringlog.verify(ring_path).ok
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, lossless=True) as last:
        with pytest.raises(ringlog.TooManyReaders, match="all 4096"):
            ringlog.Reader(ring_path, name="one more")
        with ringlog.Reader(ring_path, name="name 4094") as named:
            for k in range(5000):
                writer.append(b"%d" % k)
                assert last.poll().sequence == named.poll().sequence == k
        ringlog.forget(ring_path, "name 7")
        ringlog.Reader(ring_path, name="one more").close()
    assert len([r for r in ringlog.info(ring_path).readers if r.name == "one more"]) == 1


@pytest.mark.parametrize("number", [0, -1, 4097, 1 << 40])
def test_no_more_than_that(ring_path: str, number: int) -> None:
    with pytest.raises(ValueError, match="max_readers"):
        ringlog.create(ring_path, CAPACITY, max_readers=number)
