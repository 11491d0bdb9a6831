"""Arrow takes a Batch without a copy: by the C data interface itself, and as pyarrow and polars do."""

from __future__ import annotations

import ctypes
import gc
import itertools
import threading
import weakref
from typing import Any

import pytest
from oracle import OracleEvent, decode

import ringlog

ITEMS = [b"four", b"", b"seven??", bytes(range(200)), b"x"]
Pointer = ctypes.POINTER


class Schema(ctypes.Structure):
    pass


class Array(ctypes.Structure):
    pass


class Stream(ctypes.Structure):
    pass


Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", Pointer(Pointer(Schema))),
    ("dictionary", Pointer(Schema)),
    ("release", ctypes.CFUNCTYPE(None, Pointer(Schema))),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", Pointer(ctypes.c_void_p)),
    ("children", Pointer(Pointer(Array))),
    ("dictionary", Pointer(Array)),
    ("release", ctypes.CFUNCTYPE(None, Pointer(Array))),
    ("private_data", ctypes.c_void_p),
]
Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, Pointer(Stream), Pointer(Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, Pointer(Stream), Pointer(Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, Pointer(Stream))),
    ("release", ctypes.CFUNCTYPE(None, Pointer(Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def inside(capsule: object, name: bytes, kind: type[ctypes.Structure]) -> Any:
    return kind.from_address(_pointer(capsule, name))


@pytest.fixture
def events(ring_path: str) -> list[OracleEvent]:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"skipped", *ITEMS])
    return decode(ring_path)[1:]


@pytest.fixture
def only(ring_path: str, events: list[OracleEvent]) -> list[ringlog.Batch]:
    """A batch to pop, so that nobody else holds it."""
    with ringlog.Reader(ring_path, start=1) as reader:
        return [reader.read_batch()]


@pytest.fixture
def batch(only: list[ringlog.Batch]) -> ringlog.Batch:
    return only[0]


# ---- the capsules, by hand ----


def check_schema(schema: Any) -> None:
    assert (schema.format, schema.flags, schema.n_children) == (b"+s", 0, 3)
    fields = [schema.children[k].contents for k in range(3)]
    assert [(field.name, field.format, field.flags) for field in fields] == [
        (b"sequence", b"l", 0),
        (b"timestamp", b"tsn:UTC", 0),
        (b"data", b"Z", 0),
    ]


def check_array(array: Any, events: list[OracleEvent]) -> None:
    count = len(events)
    assert (array.length, array.null_count, array.offset, array.n_buffers) == (count, 0, 0, 1)
    sequence, timestamp, data = (array.children[k].contents for k in range(3))
    assert [child.length for child in (sequence, timestamp, data)] == [count] * 3
    assert (sequence.n_buffers, timestamp.n_buffers, data.n_buffers) == (2, 2, 3)
    assert all(child.buffers[0] is None for child in (array, sequence, timestamp, data))
    numbers = ctypes.c_int64 * count
    assert list(numbers.from_address(sequence.buffers[1])) == [event.sequence for event in events]
    assert list(numbers.from_address(timestamp.buffers[1])) == [event.timestamp for event in events]
    offsets = list((ctypes.c_int64 * (count + 1)).from_address(data.buffers[1]))
    content = ctypes.string_at(data.buffers[2], offsets[-1])
    assert [content[a:b] for a, b in itertools.pairwise(offsets)] == [e.data for e in events]


def test_schema(batch: ringlog.Batch) -> None:
    capsule = batch.__arrow_c_schema__()
    schema = inside(capsule, b"arrow_schema", Schema)
    check_schema(schema)
    schema.release(ctypes.byref(schema))
    assert not schema.release
    del capsule  # nothing is left for it to release


def test_array(batch: ringlog.Batch, events: list[OracleEvent]) -> None:
    schema, array = batch.__arrow_c_array__(requested_schema=None)
    check_schema(inside(schema, b"arrow_schema", Schema))
    held = inside(array, b"arrow_array", Array)
    check_array(held, events)
    assert held.children[2].contents.buffers[2] == address(batch.data)  # no copy
    assert held.children[1].contents.buffers[1] == address(batch.timestamps)


def address(view: memoryview) -> int:
    import numpy

    return int(numpy.asarray(view).ctypes.data)


def test_an_empty_array(ring_path: str, events: list[OracleEvent]) -> None:
    with ringlog.Reader(ring_path) as reader:
        array = inside(capsule := reader.read_batch().__arrow_c_array__()[1], b"arrow_array", Array)
        check_array(array, [])
    del capsule


def test_stream(only: list[ringlog.Batch], events: list[OracleEvent]) -> None:
    batch = only.pop()
    gone = weakref.ref(batch)
    capsule = batch.__arrow_c_stream__()
    stream = inside(capsule, b"arrow_array_stream", Stream)
    del batch
    schema, array, end = Schema(), Array(), Array(length=7)
    assert stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)) == 0
    check_schema(schema)
    schema.release(ctypes.byref(schema))
    assert stream.get_next(ctypes.byref(stream), ctypes.byref(array)) == 0
    assert stream.get_next(ctypes.byref(stream), ctypes.byref(end)) == 0
    assert not end.release
    assert stream.get_last_error(ctypes.byref(stream)) is None
    stream.release(ctypes.byref(stream))
    assert not stream.release
    check_array(array, events)  # it lives on its own
    assert gone() is not None
    array.release(ctypes.byref(array))
    assert gone() is None


@pytest.mark.parametrize("method", ["__arrow_c_schema__", "__arrow_c_array__", "__arrow_c_stream__"])
def test_capsules_that_nobody_takes_let_go(only: list[ringlog.Batch], method: str) -> None:
    batch = only.pop()
    gone = weakref.ref(batch)
    capsule = getattr(batch, method)()
    del batch
    assert (gone() is None) == (method == "__arrow_c_schema__")
    del capsule
    assert gone() is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("parent_first", [True, False])
def test_children_that_are_moved_away(
    only: list[ringlog.Batch], events: list[OracleEvent], order: tuple[int, ...], parent_first: bool
) -> None:
    """A child can be taken out and released on its own, before or after its parent."""
    batch = only.pop()
    gone = weakref.ref(batch)
    capsule = batch.__arrow_c_array__()[1]
    array = inside(capsule, b"arrow_array", Array)
    moved = []
    for k in order:
        child = array.children[k].contents
        copy = Array()
        ctypes.memmove(ctypes.byref(copy), ctypes.byref(child), ctypes.sizeof(Array))
        child.release = type(child.release)()
        moved.append(copy)
    del batch
    if parent_first:
        del capsule
    while moved:
        assert gone() is not None
        copy = moved.pop()
        copy.release(ctypes.byref(copy))
        assert not copy.release
    if not parent_first:
        assert gone() is not None
        del capsule
    assert gone() is None


def test_released_in_a_thread_without_the_gil(only: list[ringlog.Batch]) -> None:
    """ctypes lets the GIL go around a foreign call, so this release has to take it."""
    batch = only.pop()
    gone = weakref.ref(batch)
    capsule = batch.__arrow_c_array__()[1]
    array = inside(capsule, b"arrow_array", Array)
    del batch
    release = ctypes.CFUNCTYPE(None, Pointer(Array))(ctypes.cast(array.release, ctypes.c_void_p).value)
    thread = threading.Thread(target=release, args=(ctypes.byref(array),))
    thread.start()
    thread.join(20)
    assert gone() is None
    assert not array.release


# ---- pyarrow, polars ----


def test_pyarrow(ring_path: str, only: list[ringlog.Batch], events: list[OracleEvent]) -> None:
    pa = pytest.importorskip("pyarrow")
    batch = only.pop()
    gone = weakref.ref(batch)
    record, table = pa.record_batch(batch), pa.table(batch)
    record.validate(full=True)
    assert record.schema == pa.schema(
        [
            pa.field("sequence", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("ns", tz="UTC"), nullable=False),
            pa.field("data", pa.large_binary(), nullable=False),
        ]
    )
    del batch
    ringlog.unlink(ring_path)
    gc.collect()
    for taken in (record, table, pa.concat_tables([table, table]).slice(len(events))):
        assert taken["sequence"].to_pylist() == [event.sequence for event in events]
        assert taken["timestamp"].cast(pa.int64()).to_pylist() == [event.timestamp for event in events]
        assert taken["data"].to_pylist() == [event.data for event in events]
    assert gone() is not None
    column = record["data"]
    del record, table, taken
    assert gone() is not None
    assert column.to_pylist() == [event.data for event in events]
    del column
    gc.collect()
    assert gone() is None


def test_pyarrow_takes_no_events(ring_path: str, events: list[OracleEvent]) -> None:
    pa = pytest.importorskip("pyarrow")
    with ringlog.Reader(ring_path) as reader:
        table = pa.table(reader.read_batch())
    table.validate(full=True)
    assert table.num_rows == 0


def test_pyarrow_asks_for_other_types(batch: ringlog.Batch, events: list[OracleEvent]) -> None:
    pa = pytest.importorskip("pyarrow")
    wanted = pa.schema([("sequence", pa.int64()), ("timestamp", pa.int64()), ("data", pa.large_binary())])
    capsule = wanted.__arrow_c_schema__()
    array = batch.__arrow_c_array__(capsule)[1]
    check_array(inside(array, b"arrow_array", Array), events)  # ours: conversion is the consumer's


def test_polars(batch: ringlog.Batch, events: list[OracleEvent]) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(batch)
    del batch
    gc.collect()
    assert frame["sequence"].to_list() == [event.sequence for event in events]
    assert frame["timestamp"].cast(polars.Int64).to_list() == [event.timestamp for event in events]
    assert frame["data"].to_list() == [event.data for event in events]
