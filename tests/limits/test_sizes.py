"""The smallest ring and large ones: what fits, what just doesn't, and positions beyond four and eight GiB.

A large ring is made sparse here, so that only what is touched takes memory. RINGLOG_LARGE=1 also makes a true
one of 8 GiB and fills it more than once; that takes 8 GiB of memory and longer.
"""

from __future__ import annotations

import os
import struct
from datetime import datetime, timedelta, timezone

import numpy as np
import psutil
import pytest
from oracle import RingFile, decode

import ringlog
from ringlog import ring as ring_module

SMALLEST = 1 << 16
GIB = 1 << 30
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
LARGEST_EVENT = (1 << 32) - 1  # what fits into the 32 bits of an entry's size


# ---- the smallest ----


def test_the_largest_event_of_the_smallest_ring(ring_path: str) -> None:
    limit = SMALLEST // 2 - 16
    with ringlog.Writer(ring_path, capacity=SMALLEST) as writer, ringlog.Reader(ring_path) as reader:
        for k in range(20):
            data = bytes([k]) * limit
            assert writer.append(data) == 2 * k
            assert reader.poll().data == data
            with writer.claim(limit) as view:
                view[:] = data
            assert reader.poll().data == data
        for attempt in (lambda: writer.append(bytes(limit + 1)), lambda: writer.claim(limit + 1)):
            with pytest.raises(ringlog.EventTooLarge, match=str(limit)):
                attempt()
        with pytest.raises(ringlog.EventTooLarge):
            writer.append_many([bytes(limit // 2 - 8)] * 2 + [b""])
        writer.append_many([bytes(limit // 2 - 8)] * 2)
    assert ringlog.verify(ring_path).ok


def test_as_many_events_as_possible(ring_path: str) -> None:
    """Events of no bytes: nothing but entries."""
    with ringlog.Writer(ring_path, capacity=SMALLEST) as writer, ringlog.Reader(ring_path) as reader:
        for _ in range(5):
            writer.append_many([b""] * (SMALLEST // 2 // 16))
            assert len(reader.read_many(10_000)) == SMALLEST // 2 // 16
        with pytest.raises(ringlog.EventTooLarge):
            writer.append_many([b""] * (SMALLEST // 2 // 16 + 1))
    assert ringlog.verify(ring_path).events == len(decode(ring_path)) > 3900


# ---- large ones, sparse ----


def sparse(path: str, capacity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "_allocate", lambda fd, size, _path: os.ftruncate(fd, size))
    ringlog.create(path, capacity)


def start_at(path: str, position: int, sequence: int) -> None:
    """As if so much had been published and overwritten: an empty window there."""
    with RingFile(path) as file:
        for name in ("tail", "gate", "head"):
            file.set_pair(name, position, sequence)
        file["event_count"] = sequence
        struct.pack_into("<q", file.memory, 4096, 0)  # the mark of the first stride


@pytest.mark.parametrize("edge", [2 * GIB, 4 * GIB, 8 * GIB, 16 * GIB, 1 << 40, (1 << 61) - (1 << 33)])
def test_across_an_edge_of_eight_gib(ring_path: str, monkeypatch: pytest.MonkeyPatch, edge: int) -> None:
    """8 GiB is where it wraps; half of that is where 32 bits end, and half of that where their sign is."""
    sparse(ring_path, 8 * GIB, monkeypatch)
    start_at(ring_path, 24 + edge - 100_000, 5_000_000_000)
    rows = np.arange(100, dtype=np.uint64)
    with (
        ringlog.Writer(ring_path) as writer,
        ringlog.Reader(ring_path) as lossy,
        ringlog.Reader(ring_path, name="n") as named,
    ):
        assert ringlog.info(ring_path).write_offset == 24 + edge - 100_000
        for k in range(200):
            assert writer.append(b"%d" % k * 200) == 5_000_000_000 + 102 * k
            with writer.claim(300) as view:
                view[:] = b"c" * 300
            writer.append_array(rows)
        assert ringlog.info(ring_path).write_offset > 24 + edge + 100_000
        assert ringlog.verify(ring_path).events == 200 * 102
        for k in range(200):
            first = lossy.poll()
            assert (first.sequence, first.data) == (5_000_000_000 + 102 * k, b"%d" % k * 200)
            with lossy.view() as event:
                assert bytes(event.data) == b"c" * 300
            batch = lossy.read_batch(100)
            assert (batch.to_numpy(np.uint64) == rows).all()
            assert len(named.read_many(102)) == 102
        for k in (0, 77, 150, 199):
            lossy.seek(5_000_000_000 + 102 * k)
            assert lossy.poll().data == b"%d" % k * 200
            when = lossy.read_many(1)[0].timestamp
            lossy.seek(EPOCH + timedelta(microseconds=when // 1000))
            assert when // 1000 * 1000 <= lossy.poll().timestamp <= when
        assert writer.append(b"last") == 5_000_000_000 + 200 * 102
    assert decode(ring_path)[-1].data == b"last"


def test_it_laps_at_eight_gib(ring_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window as large as the ring, of few large events of which only the ends are touched: claims."""
    sparse(ring_path, 8 * GIB, monkeypatch)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, start="oldest") as reader:
        with RingFile(ring_path) as file:
            position, count = 24, 0
            while position + GIB <= 24 + 8 * GIB:  # as if published, with sums that nobody has looked at
                file.put_entry(position, b"", timestamp=1, size=GIB - 16)
                position, count = position + GIB, count + 1
            file.set_pair("head", position, count)
            file["event_count"], file["last_timestamp"] = count, 1
        info = ringlog.info(ring_path)
        assert (info.write_offset - info.tail_offset, info.event_count) == (8 * GIB, 8)
        assert writer.append(b"next") == 8
        assert ringlog.info(ring_path).tail_count == 1
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read()
        assert (caught.value.first, caught.value.last) == (0, 0)
        reader.seek(8)
        assert reader.poll().data == b"next"


@pytest.mark.parametrize("capacity", [8 * GIB, 32 * GIB, 1 << 40])
def test_the_largest_event_of_all(ring_path: str, monkeypatch: pytest.MonkeyPatch, capacity: int) -> None:
    """Half a ring, and never more than an entry's 32 bits can say."""
    limit = min(capacity // 2 - 16, LARGEST_EVENT)
    try:
        sparse(ring_path, capacity, monkeypatch)
    except OSError as error:
        pytest.skip(f"no such file here: {error}")
    with ringlog.Writer(ring_path) as writer:
        with pytest.raises(ringlog.EventTooLarge, match=str(limit)):
            writer.claim(limit + 1)
        claim = writer.claim(limit)
        view = claim.__enter__()
        assert len(view) == limit
        view[0] = view[-1] = 1
        claim.__exit__(KeyError, KeyError(), None)  # dropped: to publish it would be to checksum all of it
        assert writer.append(b"x") == 0
    assert ringlog.verify(ring_path).events == 1


def test_no_larger_ring(ring_path: str) -> None:
    with pytest.raises(ValueError, match="over the largest"):
        ringlog.create(ring_path, 1 << 41)


# ---- a true one ----


@pytest.mark.skipif(not os.environ.get("RINGLOG_LARGE"), reason="takes 8 GiB and long: RINGLOG_LARGE=1")
def test_eight_gib_in_truth(ring_path: str) -> None:
    free = os.statvfs(os.path.dirname(ring_path))
    if free.f_bavail * free.f_frsize < 10 * GIB or psutil.virtual_memory().available < 10 * GIB:
        pytest.skip("less than 10 GiB of memory free")
    ringlog.create(ring_path, 8 * GIB)
    block = np.random.default_rng(1).bytes(4 << 20)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path) as reader:
        for k in range(2200):  # 8.6 GiB
            writer.append(block)
            assert reader.poll().sequence == k
        info = ringlog.info(ring_path)
        assert info.write_offset - info.tail_offset > 7.8 * GIB
        report = ringlog.verify(ring_path)
        assert report.ok
        assert report.events == info.event_count - info.tail_count
