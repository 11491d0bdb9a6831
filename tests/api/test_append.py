"""What can be appended and what can't; what can't leaves the stream as it was."""

from __future__ import annotations

import array
import ctypes
import mmap
import time
from collections.abc import Iterator

import numpy as np
import pytest
from oracle import RingFile, decode

import ringlog

HOUR = 3_600_000_000_000


@pytest.fixture
def writer(ring_path: str) -> Iterator[ringlog.Writer]:
    """Of a ring that has one event."""
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"first")
        yield writer


def untouched(path: str) -> bool:
    """The ring is as the fixture left it, and free."""
    with RingFile(path) as file:
        free = file["owner"] == 0 and file["write_offset"] == 24 + 16 + 5 and file["event_count"] == 1
    return free and [event.data for event in decode(path)] == [b"first"]


# ---- data ----

BUFFERS = {
    "bytes": b"abc",
    "empty": b"",
    "bytearray": bytearray(b"abc"),
    "bytes subclass": type("Special", (bytes,), {})(b"abc"),
    "memoryview": memoryview(b"abcdef")[2:4],
    "every second byte": memoryview(b"abcdefgh")[::2],
    "backwards": memoryview(b"abcdefgh")[::-1],
    "empty, strided": memoryview(b"")[::2],
    "array of ints": array.array("I", [1, 2, 3]),
    "two dimensions": memoryview(bytes(range(12))).cast("B", (3, 4)),
    "numpy": np.arange(12, dtype=np.float32),
    "numpy, columns": np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2],
    "numpy, Fortran order": np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
    "numpy, a number": np.array(7, dtype=np.int64),
    "numpy, nothing": np.zeros((0, 3)),
    "ctypes": (ctypes.c_uint16 * 3)(1, 2, 3),
    "mmap": mmap.mmap(-1, 4096),
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_any_buffer_is_appended_whole(ring_path: str, writer: ringlog.Writer, kind: str) -> None:
    data = BUFFERS[kind]
    expected = memoryview(data).tobytes()
    assert writer.append(data) == 1
    assert writer.append_many([data, b"between", data]) == range(2, 5)
    assert [event.data for event in decode(ring_path)] == [b"first", expected, expected, b"between", expected]


@pytest.mark.parametrize("data", ["text", 7, None, 1.5, object(), [1, 2], [b"a"], {}, range(3)])
def test_anything_else_is_a_type_error(ring_path: str, writer: ringlog.Writer, data: object) -> None:
    with pytest.raises(TypeError):
        writer.append(data)
    with pytest.raises(TypeError):
        writer.append_many([b"good", data])
    assert untouched(ring_path)
    assert writer.append(b"good") == 1


@pytest.mark.parametrize("items", ["text", b"bytes", bytearray(b"x"), memoryview(b"x"), 7, None, object()])
def test_append_many_takes_an_iterable_of_buffers(
    ring_path: str, writer: ringlog.Writer, items: object
) -> None:
    with pytest.raises(TypeError):
        writer.append_many(items)
    assert untouched(ring_path)


def test_a_released_buffer(ring_path: str, writer: ringlog.Writer) -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(ValueError, match="released"):
        writer.append(view)
    with pytest.raises(ValueError, match="released"):
        writer.append_many([bytearray(b"held"), view])
    assert untouched(ring_path)


def test_buffers_are_let_go(writer: ringlog.Writer) -> None:
    data = bytearray(b"abc")
    writer.append(data)
    writer.append_many([data, data])
    for bad in ([data, None], [data, bytes(40_000)]):
        with pytest.raises((TypeError, ringlog.EventTooLarge)):
            writer.append_many(bad)
    data.extend(bytes(1000))  # BufferError if somebody still looked at it


@pytest.mark.parametrize(
    ("positional", "keywords"),
    [((), {}), ((b"a", b"b"), {}), ((b"a",), {"data": b"b"}), ((b"a",), {"time": 1}), ((), {"data": b"a"})],
)
def test_bad_calls(ring_path: str, writer: ringlog.Writer, positional: tuple, keywords: dict) -> None:
    for method in (writer.append, writer.append_many):
        with pytest.raises(TypeError):
            method(*positional, **keywords)
    assert untouched(ring_path)


# ---- too large ----


def test_the_largest_event(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(ringlog.EventTooLarge, match=r"32752.*32753") as caught:
        writer.append(bytes(32753))
    assert isinstance(caught.value, ValueError)
    assert untouched(ring_path)
    assert writer.append(bytes(32752)) == 1
    assert writer.append(bytes(32752)) == 2
    assert len(decode(ring_path)) == 2


def test_the_largest_batch_is_all_or_none(ring_path: str, writer: ringlog.Writer) -> None:
    batch = [bytes(1008)] * 32  # with their entries: exactly half the ring
    with pytest.raises(ringlog.EventTooLarge, match=r"32768.*32784"):
        writer.append_many([*batch, b""])
    with pytest.raises(ringlog.EventTooLarge):
        writer.append_many([b"small", bytes(32753)])
    assert untouched(ring_path)
    assert writer.append_many(batch) == range(1, 33)


# ---- batches ----


def test_append_many_takes_any_iterable(ring_path: str, writer: ringlog.Writer) -> None:
    items = [b"a", b"b", b"c"]
    expected = [b"first"]
    for kind in (
        list,
        tuple,
        iter,
        lambda items: (item for item in items),
        lambda items: dict.fromkeys(items),
    ):
        first = len(expected)
        assert writer.append_many(kind(items)) == range(first, first + 3)
        expected += items
    assert [event.data for event in decode(ring_path)] == expected


def test_an_empty_batch(ring_path: str, writer: ringlog.Writer) -> None:
    assert writer.append_many([]) == range(1, 1)
    assert untouched(ring_path)


def test_an_iterator_that_raises_publishes_nothing(ring_path: str, writer: ringlog.Writer) -> None:
    def items() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        writer.append_many(items())
    assert untouched(ring_path)


def test_an_iterator_may_append_itself(ring_path: str, writer: ringlog.Writer) -> None:
    """It runs to its end before the lock is taken."""

    def items() -> Iterator[bytes]:
        for k in range(3):
            writer.append(b"inner %d" % k)
            yield b"outer %d" % k

    assert writer.append_many(items()) == range(4, 7)
    order = [b"first", *(b"inner %d" % k for k in range(3)), *(b"outer %d" % k for k in range(3))]
    assert [event.data for event in decode(ring_path)] == order


def test_a_batch_has_one_time(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append_many([b"x"] * 100)
    assert len({event.timestamp for event in decode(ring_path)[1:]}) == 1


# ---- timestamps ----


def test_the_clock_by_default(ring_path: str, writer: ringlog.Writer) -> None:
    before = time.time_ns()
    writer.append(b"x")
    assert before <= decode(ring_path)[-1].timestamp <= time.time_ns()


@pytest.mark.parametrize("bad", [0, -1, -(1 << 63), 1 << 63, 1 << 80])
def test_a_timestamp_out_of_range(ring_path: str, writer: ringlog.Writer, bad: int) -> None:
    for call in (
        lambda: writer.append(b"x", timestamp=bad),
        lambda: writer.append_many([b"x"], timestamp=bad),
    ):
        with pytest.raises(ValueError, match="timestamp"):
            call()
    assert untouched(ring_path)


@pytest.mark.parametrize("bad", [1.5, "now", b"1", object()])
def test_a_timestamp_of_another_type(ring_path: str, writer: ringlog.Writer, bad: object) -> None:
    for call in (
        lambda: writer.append(b"x", timestamp=bad),
        lambda: writer.append_many([b"x"], timestamp=bad),
    ):
        with pytest.raises(TypeError, match="timestamp"):
            call()
    assert untouched(ring_path)


def test_time_does_not_go_back(ring_path: str, writer: ringlog.Writer) -> None:
    last = decode(ring_path)[0].timestamp
    with pytest.raises(ValueError, match=rf"{last - 1} .*{last}"):
        writer.append(b"x", timestamp=last - 1)
    assert untouched(ring_path)
    writer.append(b"same", timestamp=last)
    writer.append(b"more", timestamp=last + 1)
    assert [event.timestamp - last for event in decode(ring_path)] == [0, 0, 1]


def test_an_hour_ahead_is_too_far(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(ValueError, match="hour ahead"):
        writer.append(b"x", timestamp=time.time_ns() + HOUR + 60_000_000_000)
    assert untouched(ring_path)
    ahead = time.time_ns() + HOUR - 60_000_000_000
    writer.append(b"ahead", timestamp=ahead)
    writer.append(b"clamped")  # the clock is behind that: it counts as having stood still
    assert [event.timestamp for event in decode(ring_path)[1:]] == [ahead, ahead]


def test_none_is_the_clock(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"x", timestamp=None)
    writer.append_many([b"x"], timestamp=None)
    assert len(decode(ring_path)) == 3


def test_old_times_are_fine_in_a_new_stream(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"old", timestamp=1)
    assert decode(ring_path) == [(0, 1, b"old")]
