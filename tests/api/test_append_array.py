"""append_array: each row an event, all or none, and the stream as it was after anything that fails."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import RingFile, decode
from processes import Child

import ringlog


@pytest.fixture
def writer(ring_path: str) -> Iterator[ringlog.Writer]:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path, timeout=10) as writer:
        yield writer


TICK = np.dtype([("price", "<f8"), ("at", "<M8[ns]"), ("symbol", "S5")])
ARRAYS = {
    "records": np.array([(1.5, 7, b"ab"), (2.5, 8, b"cde")], TICK),
    "numbers": np.arange(5, dtype=">i4"),
    "rows": np.arange(12, dtype=np.uint16).reshape(3, 4),
    "images": np.arange(60, dtype=np.uint8).reshape(2, 5, 3, 2),
    "dates": np.arange(3).astype("M8[s]"),
    "one row": np.arange(7.0).reshape(1, 7),
    "empty rows": np.zeros((3, 0)),
    "bytes": b"abc",
    "bytearray": bytearray(b"abc"),
    "an O in a name": np.zeros(2, [("Open", "f8"), ("O", "i4")]),
    "cast": memoryview(bytes(range(12))).cast("B", (4, 3)),
    "ctypes": (ctypes.c_uint32 * 3 * 2)((1, 2, 3), (4, 5, 6)),
}


def rows_of(array: object) -> list[bytes]:
    if isinstance(array, np.ndarray):
        return [array[k : k + 1].tobytes() for k in range(len(array))]
    view = memoryview(array)  # type: ignore[arg-type]
    size = view.nbytes // len(view)
    return [bytes(view.cast("B"))[start : start + size] for start in range(0, view.nbytes, size)]


@pytest.mark.parametrize("kind", ARRAYS)
def test_each_row_is_an_event(ring_path: str, writer: ringlog.Writer, kind: str) -> None:
    writer.append(b"before")
    rows = rows_of(ARRAYS[kind])
    assert writer.append_array(ARRAYS[kind]) == range(1, 1 + len(rows))
    events = decode(ring_path)
    assert [event.data for event in events] == [b"before", *rows]
    assert len({event.timestamp for event in events[1:]}) == 1


@pytest.mark.parametrize("shape", [(0,), (0, 3), (0, 1 << 40)])
def test_no_rows_are_no_events(ring_path: str, writer: ringlog.Writer, shape: tuple[int, ...]) -> None:
    writer.append(b"before")
    assert writer.append_array(np.zeros(shape, "u1")) == range(1, 1)
    assert len(decode(ring_path)) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 200), st.integers(0, 1 << 62))
def test_rows_are_as_append_many_would_write_them(count: int, size: int, seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 256, (count, size), "u1")
    seen = []
    for path, rows in (("one", array), ("other", None)):
        path = f"/dev/shm/ringlog-test-array-{threading.get_native_id()}-{path}"
        with ringlog.Writer(path, capacity=1 << 18) as writer:
            try:
                if rows is None:
                    writer.append_many(list(array), timestamp=5_000_000_000)
                else:
                    writer.append_array(rows, timestamp=5_000_000_000)
                seen.append([(event.timestamp, event.data) for event in decode(path)])
            finally:
                ringlog.unlink(path)
    assert seen[0] == seen[1]
    assert len(seen[0]) == count


WRONG = {
    "Fortran order": (np.asfortranarray(np.zeros((3, 4))), ValueError),
    "every second row": (np.zeros((8, 2))[::2], ValueError),
    "a strided view": (memoryview(b"abcdef")[::2], ValueError),
    "no dimension": (np.array(5), ValueError),
    "a number": (5, TypeError),
    "a list": ([b"abc"], TypeError),
    "text": ("abc", TypeError),
    "objects": (np.array([object()]), TypeError),
    "objects and dates": (np.zeros(2, [("a", "O"), ("b", "M8[s]")]), TypeError),
    "ctypes objects": ((ctypes.py_object * 2)("a", "b"), TypeError),
    "too much": (np.zeros((2, 20_000), "u1"), ringlog.EventTooLarge),
    "too many": (np.zeros((3000, 0), "u1"), ringlog.EventTooLarge),
    "very many empty ones": (np.zeros((1 << 62, 0), "u1"), ringlog.EventTooLarge),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_changes_nothing(ring_path: str, writer: ringlog.Writer, kind: str) -> None:
    array, error = WRONG[kind]
    writer.append(b"before")
    with pytest.raises(error):
        writer.append_array(array)  # type: ignore[arg-type]
    assert [event.data for event in decode(ring_path)] == [b"before"]
    with RingFile(ring_path) as file:
        assert file["owner"] == 0
    assert writer.append(b"after") == 1


def test_the_memory_is_free_again_after_a_refusal(writer: ringlog.Writer) -> None:
    array = bytearray(40_000)
    with pytest.raises(ringlog.EventTooLarge):
        writer.append_array(array)  # 40,000 events of one byte
    array.append(1)  # would be a BufferError while somebody holds it


def test_a_timestamp_is_for_all_rows(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append_array(np.zeros(3), timestamp=5)
    assert [event.timestamp for event in decode(ring_path)] == [5, 5, 5]
    with pytest.raises(ValueError, match="before"):
        writer.append_array(np.zeros(3), timestamp=4)


def test_readers_see_all_rows_or_none(ring_path: str, spawn: object) -> None:
    """Each batch holds 5,000 rows of 64 bytes, so that the GIL is let go; a reader counts what it sees."""
    ringlog.create(ring_path, 1 << 20)
    child: Child = spawn(  # type: ignore[operator]
        """
        with ringlog.Reader(path, start="oldest", lossless=True) as reader:
            say("ready")
            part = good = 0
            for event in reader:
                good += event.data == bytes([event.sequence // 5000]) * 64
                if event.sequence % 5000 == 0:
                    part += reader.lag < 4999
            say(good, part)
        """,
        ring_path,
    )
    assert child.line() == "ready"
    with ringlog.Writer(ring_path, timeout=20) as writer:
        for number in range(40):
            rows = np.full((5000, 64), number, "u1")
            assert writer.append_array(rows) == range(number * 5000, number * 5000 + 5000)
        writer.end()
    assert child.finish() == "200000 0\n"


def test_threads_that_share_a_writer_keep_their_rows_together(ring_path: str) -> None:
    ringlog.create(ring_path, 1 << 22)
    with ringlog.Writer(ring_path, timeout=20) as writer:

        def write(mark: int) -> None:
            for _ in range(20):
                writer.append_array(np.full((100, 16), mark, "u1"))

        threads = [threading.Thread(target=write, args=(mark,)) for mark in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    runs = [len(list(run)) for _, run in itertools.groupby(event.data for event in decode(ring_path))]
    assert sum(runs) == 8000
    assert all(run % 100 == 0 for run in runs)
