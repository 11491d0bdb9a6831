"""numpy arrays in the .npy format: dtype, shape and order travel with the bytes."""

from __future__ import annotations

import ast
import struct
import sys
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, overload

try:
    import numpy as np
except ModuleNotFoundError as error:
    raise ImportError("ArrayCodec needs numpy: pip install 'ringlog[numpy]'") from error

from numpy.lib import format as npy

from ringlog.codecs.codec import CodecError, flat, foreign

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray
    from typing_extensions import Buffer

S = TypeVar("S", bound=np.generic)

MAX_HEADER = 10_000  # numpy.load refuses longer ones too: parsing text can exhaust the parser's stack
CACHED = 256


class Header(NamedTuple):
    """What a .npy header says."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    size: int  # of the array, in bytes


class ArrayCodec(Generic[S]):
    """numpy arrays, each one as a .npy file is: what `numpy.save` writes and `numpy.load` reads.

    dtype: if given, arrays of another one are refused (another byte order is another dtype). shape: if
    given, each dimension must be this long; None stands for one of any length.

    Contiguous arrays, C or Fortran, are encoded without a copy, others are made contiguous first. decode
    gives a read-only array on the event's own memory, which it keeps alive; `.copy()` gives one of your own.
    Metadata of a dtype and subclasses of ndarray do not travel.

    Raises TypeError for a dtype with objects or a bad argument, ValueError for a shape below 0,
    ImportError without numpy.
    """

    __slots__ = ("_dtype", "_shape")

    @overload
    def __init__(
        self: ArrayCodec[Any], dtype: None = None, shape: Sequence[int | None] | None = None
    ) -> None: ...
    @overload
    def __init__(self, dtype: np.dtype[S] | type[S], shape: Sequence[int | None] | None = None) -> None: ...
    @overload
    def __init__(
        self: ArrayCodec[Any], dtype: DTypeLike, shape: Sequence[int | None] | None = None
    ) -> None: ...
    def __init__(self, dtype: DTypeLike | None = None, shape: Sequence[int | None] | None = None) -> None:
        self._dtype: np.dtype[Any] | None = None if dtype is None else np.dtype(dtype)
        self._shape = None if shape is None else _check_shape(shape)
        if self._dtype is not None:
            _npy_header(self._dtype, (), False)

    @property
    def dtype(self) -> np.dtype[S] | None:
        """The only dtype that is taken, or None for any."""
        return self._dtype

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """The only shape that is taken, None for a dimension of any length, or None for any."""
        return self._shape

    def encode(self, value: NDArray[S]) -> Sequence[Buffer]:
        """Return the .npy header and the array's bytes.

        Raises TypeError for what is no array, a masked one, one of another dtype or one whose dtype .npy
        can't hold (objects); ValueError for another shape.
        """
        if not isinstance(value, np.ndarray):
            raise TypeError(f"an array is needed, not {type(value).__name__}")
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(".npy has no masks: send the data and the mask")
        if self._dtype is not None and value.dtype != self._dtype:
            raise TypeError(f"the array's dtype is {value.dtype}, not {self._dtype}")
        if self._shape is not None and not _fits(value.shape, self._shape):
            raise ValueError(f"the array's shape is {_spell(value.shape)}, not {_spell(self._shape)}")
        array = value.view(np.ndarray)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        header = _npy_header(array.dtype, array.shape, fortran)
        if not array.nbytes:
            return (header,)
        if not fortran:
            array = np.ascontiguousarray(array)
        # A row of bytes in the order of memory: datetimes and structures have no buffer of their own.
        row = array.reshape(-1, order="F" if fortran else "C")
        return (header, row.view(np.uint8).data)

    def decode(self, data: Buffer) -> NDArray[S]:
        """Return the array: read-only, on `data`'s memory. Raises CodecError for anything else."""
        view = flat(data).toreadonly()
        lead = bytes(view[:12])
        if lead[:6] != npy.MAGIC_PREFIX or len(lead) < 10:
            raise foreign(".npy", data, f".npy begins with {npy.MAGIC_PREFIX!r} and a version")
        if lead[6] == 1:
            start = 10 + int.from_bytes(lead[8:10], "little")
        elif lead[6] in (2, 3) and len(lead) == 12:
            start = 12 + int.from_bytes(lead[8:12], "little")
        else:
            raise foreign(".npy", data, f"version {lead[6]}.{lead[7]}, or cut off")
        if start > min(view.nbytes, MAX_HEADER):
            raise foreign(".npy", data, f"a header of {start} bytes: cut off, or over {MAX_HEADER}")
        try:
            dtype, shape, order, size = _parse(bytes(view[:start]))
        except Exception as error:  # numpy, ast and the header's author can think of many
            raise foreign(".npy", data, error) from error
        if size != view.nbytes - start:
            raise CodecError(
                f"{size} bytes of {dtype} {_spell(shape)} behind the header", f"{view.nbytes - start}"
            )
        if self._dtype is not None and dtype != self._dtype:
            raise CodecError(f"an array of {self._dtype}", f"one of {dtype}")
        if self._shape is not None and not _fits(shape, self._shape):
            raise CodecError(f"an array of shape {_spell(self._shape)}", f"one of {_spell(shape)}")
        try:
            if not size:
                nothing: NDArray[Any] = np.ndarray(shape, dtype, buffer=b"", order=order)
                return nothing
            # frombuffer keeps its hold on the memory, so that a view's end sees it; ndarray(buffer=) doesn't.
            row: NDArray[Any] = np.frombuffer(view, dtype, offset=start)
            return row.reshape(shape, order=order)
        except (ValueError, TypeError) as error:  # more dimensions than numpy has
            raise foreign(".npy", data, error) from error

    def __repr__(self) -> str:
        return f"ArrayCodec({self._dtype!r}, {self._shape!r})"


@lru_cache(maxsize=CACHED)
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool) -> bytes:
    """The header, as numpy.save writes it. Cached: making one takes longer than copying many an array."""
    if dtype.hasobject:
        raise TypeError(f"{dtype} holds Python objects, and .npy could only pickle them: not sent")
    try:
        described = npy.dtype_to_descr(dtype)
        kept = npy.descr_to_dtype(described)
    except (ValueError, TypeError) as error:
        raise TypeError(f".npy can't hold {dtype}: {error}") from error
    if kept != dtype:
        raise TypeError(f".npy can't hold {dtype}: it would come back as {kept}")
    text = f"{{'descr': {described!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    # 1.0 is Latin-1 with a length of 16 bits, 3.0 is UTF-8 (names of fields) with 32.
    latin = all(ord(character) < 256 for character in text)
    version, width, written = (1, "<H", text.encode("latin-1")) if latin else (3, "<I", text.encode())
    before = len(npy.MAGIC_PREFIX) + 2 + struct.calcsize(width)
    written += b" " * (-(before + len(written) + 1) % npy.ARRAY_ALIGN) + b"\n"
    if before + len(written) > MAX_HEADER:
        raise TypeError(f"the .npy header of this dtype has {len(written)} bytes, over {MAX_HEADER}")
    return npy.MAGIC_PREFIX + bytes((version, 0)) + struct.pack(width, len(written)) + written


@lru_cache(maxsize=CACHED)
def _parse(header: bytes) -> Header:
    """What a header says. Cached: parsing one takes about 50 times as long as all else in decode."""
    text = header[10 if header[6] == 1 else 12 :].decode("utf-8" if header[6] == 3 else "latin-1")
    said = ast.literal_eval(text)
    if not isinstance(said, dict) or said.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header has descr, fortran_order and shape")
    shape, fortran = said["shape"], said["fortran_order"]
    if not isinstance(shape, tuple) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"no shape: {shape!r}")
    if not isinstance(fortran, bool):
        raise ValueError(f"no order: {fortran!r}")
    descr = said["descr"]
    if type(descr) not in (str, list):
        raise ValueError(f"no dtype: {descr!r}")
    dtype = npy.descr_to_dtype(descr)
    if dtype.hasobject:
        raise ValueError(f"{dtype} holds Python objects, which would have to be unpickled: never done")
    # numpy itself lets the number of elements overflow where each of them, or one dimension, is 0.
    if prod(max(length, 1) for length in shape) * max(dtype.itemsize, 1) > sys.maxsize:
        raise ValueError(f"no array can be as large as {shape!r}")
    return Header(dtype, shape, "F" if fortran else "C", prod(shape) * dtype.itemsize)


def _check_shape(shape: Sequence[int | None]) -> tuple[int | None, ...]:
    lengths = tuple(None if length is None else index(length) for length in shape)
    if any(length is not None and length < 0 for length in lengths):
        raise ValueError(f"a dimension has 0 or more, not {lengths}")
    return lengths


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want is None or length == want for length, want in zip(shape, wanted, strict=True)
    )


def _spell(shape: tuple[int | None, ...]) -> str:
    return "()" if not shape else "x".join("any" if length is None else str(length) for length in shape)
