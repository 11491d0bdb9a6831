"""ArrayCodec: .npy on the wire, no copies, and headers that lie."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import pytest
from codec_support import assert_refused, encoded, through
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from ringlog.codecs import ArrayCodec
from ringlog.codecs.array_codec import CACHED, _npy_header, _parse

CODEC = ArrayCodec()
DTYPES = (
    some.scalar_dtypes()
    | some.unicode_string_dtypes()
    | some.byte_string_dtypes()
    | some.datetime64_dtypes()
    | some.array_dtypes(max_size=4)
)
SHAPES = some.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def same(back: np.ndarray, array: np.ndarray) -> None:
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    if array.dtype.names:  # padding between fields is nobody's
        for name in array.dtype.names:
            assert back[name].tobytes() == array[name].tobytes()
    else:
        assert back.tobytes() == array.tobytes()


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=False)
    return file.getvalue()


def header(text: str, version: int = 1) -> bytes:
    raw = text.encode("utf-8")
    length = struct.pack("<H" if version == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes((version, 0)) + length + raw


@given(st.data())
def test_arrays_come_back_and_numpy_reads_them(data: st.DataObject) -> None:
    dtype = data.draw(DTYPES)
    if dtype.subdtype is not None:
        dtype = dtype.base
    size = data.draw(SHAPES)
    count = int(np.prod(size)) * dtype.itemsize
    seed = data.draw(st.integers(0, 1000))
    raw = np.random.default_rng(seed).bytes(count)
    array = np.ndarray(size, dtype, buffer=raw, order=data.draw(st.sampled_from("CF")))
    if data.draw(st.booleans()):
        array = array[(..., *[slice(None, None, 2)] * array.ndim)]
    if data.draw(st.booleans()):
        array = array.T
    wire = encoded(CODEC, array)
    same(CODEC.decode(wire), array)
    same(np.load(io.BytesIO(wire), allow_pickle=False), array)
    same(CODEC.decode(npy(array, (3, 0))), array)


@pytest.mark.parametrize(
    "array",
    [
        np.array(7),
        np.zeros((0, 5)),
        np.zeros(3, "V0"),
        np.zeros((2, 3), "S0"),
        np.array(["NaT", "2020-01-01"], "M8[ns]"),
        np.arange(3, dtype=">i4"),
        np.zeros(4, [("a", "u1"), ("b", "<f8", (2,))]),
        np.zeros(4, np.dtype([("a", "u1"), ("b", "<f8")], align=True)),
        np.zeros(2, [("größe", "i4"), ("名前", "f4")]),
        np.zeros(2, [("a", "i4")]).view(np.recarray),
        np.array([1 + 2j]),
        np.array([True, False]),
        np.array([1.0], np.longdouble),
    ],
    ids=str,
)
def test_unusual_arrays(array: np.ndarray) -> None:
    wire = encoded(CODEC, array)
    same(CODEC.decode(wire), array)
    same(np.load(io.BytesIO(wire)), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read(version: tuple[int, int]) -> None:
    array = np.arange(6).reshape(2, 3)
    same(CODEC.decode(npy(array, version)), array)


@pytest.mark.parametrize(
    "array", [np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.array(5)]
)
def test_nothing_is_copied(array: np.ndarray) -> None:
    _, body = CODEC.encode(array)
    assert np.shares_memory(np.frombuffer(body, np.uint8), array)
    wire = encoded(CODEC, array)
    for data in (wire, memoryview(wire), bytearray(wire)):
        back = CODEC.decode(data)
        assert np.shares_memory(back, np.frombuffer(data, np.uint8))
        assert not back.flags.writeable
        assert back.flags.f_contiguous == array.flags.f_contiguous


def test_the_data_begins_at_a_multiple_of_64() -> None:
    for array in (np.arange(3), np.zeros(2, [("x" * count, "i4") for count in range(1, 40)])):
        assert len(CODEC.encode(array)[0]) % 64 == 0


# ---- what is asked for ----


def test_dtype_and_shape_are_checked_on_both_sides() -> None:
    codec = ArrayCodec(np.float32, (None, 3))
    assert (codec.dtype, codec.shape) == (np.dtype("f4"), (None, 3))
    good = np.zeros((5, 3), "f4")
    same(through(codec, good), good)
    same(through(pickle.loads(pickle.dumps(codec)), good), good)
    for wrong in (np.zeros((5, 3)), np.zeros((5, 3), ">f4")):
        with pytest.raises(TypeError, match="dtype"):
            codec.encode(wrong)
        assert "float32" in str(assert_refused(codec, npy(wrong)))
    for wrong in (np.zeros((5, 2), "f4"), np.zeros(3, "f4"), np.zeros((1, 5, 3), "f4"), np.zeros((), "f4")):
        with pytest.raises(ValueError, match="shape"):
            codec.encode(wrong)
        assert "anyx3" in str(assert_refused(codec, npy(wrong)))


@pytest.mark.parametrize("value", [[1, 2], 1.5, None, b"abc", np.float32(1)])
def test_only_arrays_are_encoded(value: object) -> None:
    with pytest.raises(TypeError, match="array"):
        CODEC.encode(value)


def test_masks_are_not_dropped() -> None:
    with pytest.raises(TypeError, match="mask"):
        CODEC.encode(np.ma.masked_array([1, 2], [True, False]))


@pytest.mark.parametrize("dtype", [object, [("a", "i4"), ("b", object)]])
def test_objects_are_refused(dtype: object) -> None:
    with pytest.raises(TypeError, match="objects"):
        CODEC.encode(np.zeros(2, dtype))
    with pytest.raises(TypeError, match="objects"):
        ArrayCodec(dtype)


def test_objects_are_never_unpickled() -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "objects" in str(assert_refused(CODEC, file.getvalue()))


def test_a_dtype_that_npy_does_not_hold_is_refused() -> None:
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]})
    many = np.dtype([(f"field{k}", "i4") for k in range(1000)])
    for dtype in (overlapping, many):
        with pytest.raises(TypeError, match="npy"):
            CODEC.encode(np.zeros(2, dtype))


@pytest.mark.parametrize(("shape", "error"), [((-1,), ValueError), (("a",), TypeError), ((1.5,), TypeError)])
def test_a_bad_shape_is_refused(shape: tuple, error: type[Exception]) -> None:
    with pytest.raises(error):
        ArrayCodec(np.float32, shape)


# ---- what is not ours ----

SAMPLE = npy(np.arange(6, dtype="<i2"))


def test_every_truncation_is_refused() -> None:
    for size in range(len(SAMPLE)):
        assert_refused(CODEC, SAMPLE[:size])
    assert_refused(CODEC, SAMPLE + b"\0")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    assert_refused(CODEC, data)
    assert_refused(CODEC, b"\x93NUMPY\x01\x00" + data)
    assert_refused(CODEC, b"\x93NUMPY\x03\x00" + data)


def described(descr: str = "'<i2'", fortran: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


HOSTILE = [
    header(described(shape="(9223372036854775807,)")),
    header(described(shape="(4294967296, 4294967296, 4294967296)")),
    header(described(shape="(-2,)")),
    header(described(shape="(-1, -2)")),
    header(described(shape="(True, 2)")),
    header(described(shape="2")),
    header(described(shape="[2]")),
    header(described(shape="(2.0,)")),
    header(described(shape=repr((1,) * 100))) + b"ab",
    header(described(shape="(0, 9223372036854775807, 9223372036854775807)")),
    header(described("'V0'", shape="(9223372036854775807, 9223372036854775807)")),
    header(described("'S9223372036854775807'")),
    header(described("'O'")) + bytes(16),
    header(described("'|O8'", shape="(0,)")),
    header(described("('<i2', (2,))", shape="(1,)")) + b"abcd",
    header(described("'nothing'")),
    header(described("None")),
    header(described("{}")),
    header(described("[('a',)]")),
    header(described(fortran="1")) + b"abcd",
    header("{'descr': '<i2', 'shape': (2,)}") + b"abcd",
    header("[]"),
    header("__import__('os').getpid()"),
    header("("),
    header("-" * 9000 + "1"),
    header("(" * 9000),
    header("[" * 150 + "]" * 150),
    header(described().ljust(20_000)) + b"abcd",
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
    b"\x93NUMPY\x04\x00" + header(described())[8:] + b"abcd",
    b"\x93NUMPY\x03\x00\x04\x00\x00\x00\xff\xff\xff\xff",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_headers_that_lie_are_refused(data: bytes) -> None:
    assert len(str(assert_refused(CODEC, data))) < 1000


def test_the_caches_are_bounded() -> None:
    for count in range(2 * CACHED):
        through(CODEC, np.zeros(count, "u1"))
    for cache in (_npy_header, _parse):
        assert cache.cache_info().currsize <= CACHED
