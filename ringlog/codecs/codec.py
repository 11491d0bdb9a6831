"""What a codec is, and the one error of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pickle import PickleBuffer
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ringlog.errors import RinglogError

if TYPE_CHECKING:
    from typing_extensions import Buffer

T = TypeVar("T")


class Codec(Protocol[T]):
    """How values of one type become bytes and come back. Any object with these two methods is one.

    One codec may serve several threads at once, so neither method should keep anything in it.
    """

    def encode(self, value: T) -> Sequence[Buffer]:
        """Return the parts whose bytes, one after the other, are the event's data.

        Parts may be memory of the value itself: they are copied into the ring once and not kept. Raise
        TypeError or ValueError for a value that this codec does not take.
        """
        ...

    def decode(self, data: Buffer) -> T:
        """Return the value; it may lie on `data`'s memory. Raise CodecError if this is not one of ours.

        `data` is an event's bytes, or (in `TypedReader.view`) a read-only memoryview into the ring. Under a
        lossy reader the ring's memory can change at any moment: what is parsed must be copied first.
        """
        ...


class CodecError(RinglogError, ValueError):
    """An event is not what the codec expects.

    Attributes: `expected` and `found`, both for people; `sequence` of the event, None if the codec was
    called without a TypedReader. `__cause__` is the error of the library that decodes, if it was that.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.sequence: int | None = None

    def __str__(self) -> str:
        where = "data" if self.sequence is None else f"event {self.sequence}"
        return f"{where}: expected {self.expected}, found {self.found}"


def flat(data: Buffer) -> memoryview:
    """The bytes of a C-contiguous buffer of any shape and format, as one row of bytes, without a copy.

    Of another buffer a copy, in C order, as `Writer.append` takes it. Raises TypeError if it is no buffer.
    """
    view = memoryview(data)
    if view.ndim == 1 and view.format == "B" and view.c_contiguous:
        return view
    if not view.c_contiguous:
        return memoryview(view.tobytes())
    return PickleBuffer(view).raw()  # unlike cast(), it takes empty ones and every format


def foreign(expected: str, data: Buffer, why: object) -> CodecError:
    """The error for these bytes: it shows how they begin."""
    view = flat(data)
    start = bytes(view[:16])
    dots = "..." if view.nbytes > 16 else ""
    reason = f"{type(why).__name__}: {why}" if isinstance(why, BaseException) else why
    return CodecError(expected, f"{view.nbytes} bytes, {start!r}{dots} ({reason})")


def decode(codec: Codec[T], event: Any) -> T:
    """The value of an event; a CodecError says which event it was."""
    try:
        return codec.decode(event.data)
    except CodecError as error:
        error.sequence = event.sequence
        raise
