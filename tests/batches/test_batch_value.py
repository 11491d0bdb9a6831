"""A Batch is a sequence of Events, columns that live as long as anyone looks, and an array for numpy."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from oracle import OracleEvent, decode
from processes import run

import ringlog

ITEMS = [b"four", b"", b"seven??", bytes(range(200)), b"", b"x"]


@pytest.fixture
def events(ring_path: str) -> list[OracleEvent]:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"skipped", b"skipped"])
        writer.append_many(ITEMS)
    return decode(ring_path)[2:]


@pytest.fixture
def only(ring_path: str, events: list[OracleEvent]) -> list[ringlog.Batch]:
    """A batch to pop, so that nobody else holds it."""
    with ringlog.Reader(ring_path, start=2) as reader:
        return [reader.read_batch()]


@pytest.fixture
def batch(only: list[ringlog.Batch]) -> ringlog.Batch:
    return only[0]


# ---- a sequence of Events ----


def test_indexing(batch: ringlog.Batch, events: list[OracleEvent]) -> None:
    assert len(batch) == len(events) == len(ITEMS)
    assert batch
    for k in range(-len(events), len(events)):
        assert type(batch[k]) is ringlog.Event
        assert batch[k] == events[k]
    assert batch[np.int64(3)] == events[3]
    assert events[3] in batch
    for k in (len(events), -len(events) - 1, 1 << 70, -(1 << 70)):
        with pytest.raises(IndexError):
            batch[k]
    with pytest.raises(TypeError):
        batch["0"]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "part",
    [
        slice(None),
        slice(2),
        slice(2, None),
        slice(-2, None),
        slice(None, None, -1),
        slice(5, 1, -2),
        slice(9, 3),
    ],
)
def test_slices_are_lists(batch: ringlog.Batch, events: list[OracleEvent], part: slice) -> None:
    assert type(batch[part]) is list
    assert batch[part] == events[part]


def test_iteration(batch: ringlog.Batch, events: list[OracleEvent]) -> None:
    assert list(batch) == list(batch) == events
    assert list(reversed(batch)) == events[::-1]  # type: ignore[call-overload]
    iterator = iter(batch)
    next(iterator)
    del batch
    assert list(iterator) == events[1:]
    assert list(iterator) == []


def test_what_it_is_not(batch: ringlog.Batch) -> None:
    with pytest.raises(TypeError):
        batch < batch  # type: ignore[operator]  # noqa: B015
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(batch, protocol)
    with pytest.raises(TypeError, match="pickled"):
        copy.copy(batch)
    with pytest.raises(TypeError, match="read_batch"):
        ringlog.Batch()
    with pytest.raises(AttributeError):
        batch.something = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        batch.data = b""  # type: ignore[misc]


def test_repr(batch: ringlog.Batch, ring_path: str) -> None:
    assert repr(batch) == "<ringlog.Batch of 6 events from sequence 2, 212 bytes of data>"
    with ringlog.Reader(ring_path) as reader:
        assert repr(reader.read_batch()) == "<ringlog.Batch of no events>"


# ---- columns ----

COLUMNS = {"sequences": "q", "timestamps": "q", "sizes": "I", "offsets": "q", "data": "B"}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_read_only_views(batch: ringlog.Batch, name: str) -> None:
    view = getattr(batch, name)
    assert type(view) is memoryview
    assert (view.format, view.ndim, view.readonly, view.contiguous) == (COLUMNS[name], 1, True, True)
    with pytest.raises(TypeError):
        view[0] = 1
    array = np.asarray(view)
    assert not array.flags.writeable
    assert array.tolist() == view.tolist()
    assert np.shares_memory(array, np.asarray(getattr(batch, name)))  # of the same memory each time
    assert array.ctypes.data % 64 == 0 or name in ("sequences", "offsets")


@pytest.mark.parametrize("name", COLUMNS)
def test_views_outlive_everything(ring_path: str, name: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20) as writer, ringlog.Reader(ring_path) as reader:
        writer.append_many([b"%05d" % k * 20 for k in range(3000)])
        batch = reader.read_batch()
        expected = getattr(batch, name).tolist()
        view = getattr(batch, name)
        array = np.asarray(view)[10:]
        part = view[20:30]
        del batch, view
    ringlog.unlink(ring_path)
    gc.collect()
    filler = [bytes(300_000) for _ in range(10)]  # whatever was freed is written over
    assert array.tolist() == expected[10:]
    assert part.tolist() == expected[20:30]
    del filler


def test_memory_goes_with_the_last_view(only: list[ringlog.Batch]) -> None:
    """Views hold the batch, and the batch holds none of them: no garbage for the collector."""
    batch = only.pop()
    gone = weakref.ref(batch)
    views = [getattr(batch, name) for name in COLUMNS] + [iter(batch)]
    gc.disable()
    try:
        del batch
        while views:
            assert gone() is not None
            views.pop()
        assert gone() is None
    finally:
        gc.enable()


# ---- numpy ----


@pytest.fixture
def fixed(ring_path: str) -> Iterator[ringlog.Batch]:
    """Ten events of 24 bytes: three int64 each."""
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        writer.append_many([np.array([k, -k, k * k], "<i8").tobytes() for k in range(10)])
        yield reader.read_batch()


def test_one_item_an_event(fixed: ringlog.Batch) -> None:
    array = fixed.to_numpy([("a", "<i8"), ("b", "<i8"), ("c", "<i8")])
    assert array.shape == (10,)
    assert array["c"].tolist() == [k * k for k in range(10)]
    assert not array.flags.writeable
    assert np.shares_memory(array, np.asarray(fixed.data))


def test_several_items_an_event(fixed: ringlog.Batch) -> None:
    array = fixed.to_numpy("<i8")
    assert array.shape == (10, 3)
    assert array[7].tolist() == [7, -7, 49]
    assert np.shares_memory(array, np.asarray(fixed.data))
    assert fixed.to_numpy(np.uint8).shape == (10, 24)
    assert fixed.to_numpy("S24").shape == (10,)


def test_the_array_outlives_the_batch(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        writer.append_many([b"%08d" % k for k in range(100)])
        array = reader.read_batch().to_numpy("S8")
    ringlog.unlink(ring_path)
    gc.collect()
    assert array.tolist() == [b"%08d" % k for k in range(100)]


def test_no_events_for_numpy(ring_path: str, fixed: ringlog.Batch) -> None:
    with ringlog.Reader(ring_path) as reader:
        array = reader.read_batch().to_numpy("<f4")
    assert (array.shape, array.dtype) == ((0,), np.dtype("<f4"))


@pytest.mark.parametrize(
    ("dtype", "told"),
    [
        ("S25", r"24 bytes.* 25$"),
        ("S48", r"24 bytes.* 48$"),
        ("S16", r"24 bytes.* 16$"),
        ("O", "objects"),
        ("V", "size"),
    ],
)
def test_a_dtype_that_does_not_fit(fixed: ringlog.Batch, dtype: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fixed.to_numpy(dtype)


def test_objects_inside_a_dtype(fixed: ringlog.Batch) -> None:
    with pytest.raises(ValueError, match="objects"):
        fixed.to_numpy([("a", "O"), ("b", "V16")])


def test_several_sizes(batch: ringlog.Batch) -> None:
    with pytest.raises(ValueError, match="several sizes, from 0 to 200 bytes"):
        batch.to_numpy("u1")


def test_empty_events_are_no_items(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        writer.append_many([b"", b""])
        with pytest.raises(ValueError, match="have 0 bytes"):
            reader.read_batch().to_numpy("u1")


WITHOUT_NUMPY = """
    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("numpy", "pyarrow"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Blocker())
    with ringlog.Writer(path, capacity=65536) as writer, ringlog.Reader(path) as reader:
        writer.append_many([b"ab", b"cde"])
        batch = reader.read_batch()
        say(list(batch.sizes), list(batch.offsets), bytes(batch.data), [e.data for e in batch])
        batch.__arrow_c_array__(), batch.__arrow_c_stream__(), batch.__arrow_c_schema__()
        try:
            batch.to_numpy("u1")
        except ImportError as error:
            say(error)
    say("numpy" in sys.modules)
    """


def test_without_numpy(ring_path: str) -> None:
    columns, error, imported = run(WITHOUT_NUMPY, ring_path).splitlines()
    assert columns == "[2, 3] [0, 2] b'abcde' [b'ab', b'cde']"
    assert "ringlog[numpy]" in error
    assert imported == "False"
