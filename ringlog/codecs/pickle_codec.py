"""Pickle protocol 5: big buffers stand beside the pickle, so that neither side copies them once more."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringlog import _core
from ringlog.codecs.codec import flat, foreign
from ringlog.errors import EventTooLarge

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAGIC = b"RLP5"
HEADER = struct.Struct(
    "<4sIII"
)  # magic, CRC-32 of what follows up to the pickle's end, buffers, pickle's length
FRAME = "a pickle frame"
SUMMED = 8
ALIGNMENT = 64
_LIMIT = (1 << 32) - 1  # an event's size has 32 bits, so nothing in it needs more
_PADDING = bytes(ALIGNMENT)


class PickleCodec:
    """Anything that pickles. **Unpickling runs code: only for rings whose every writer you trust.**

    What supports out-of-band buffers (numpy arrays above all) travels beside the pickle: written without
    an intermediate copy, and decoded onto the event's own memory. Such arrays are read-only and keep that
    memory alive; `.copy()` gives one of your own. A bare `pickle.PickleBuffer` comes back as a read-only
    memoryview. Buffers begin at multiples of 64 bytes within the event.

    encode raises what pickle raises, and EventTooLarge over 4 GiB. decode raises CodecError for a frame
    that is truncated, foreign or contradicts itself, and for whatever unpickling raises.
    """

    __slots__ = ()

    def encode(self, value: Any) -> Sequence[Buffer]:
        """Return the frame in parts: header and pickle, then each buffer, padded."""
        held: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=held.append)
        buffers = [buffer.raw() for buffer in held]
        lengths = [buffer.nbytes for buffer in buffers]
        if len(pickled) > _LIMIT or sum(lengths) > _LIMIT:
            raise EventTooLarge(f"an event has less than 4 GiB, not {len(pickled) + sum(lengths)} bytes")
        summed = struct.pack(f"<II{len(lengths)}I", len(lengths), len(pickled), *lengths) + pickled
        head = struct.pack("<4sI", MAGIC, _core.checksum(summed)) + summed
        if not buffers:
            return (head,)
        parts: list[Buffer] = [head]
        end = len(head)
        for buffer in buffers:
            padding = -end % ALIGNMENT
            if padding:
                parts.append(_PADDING[:padding])
            parts.append(buffer)
            end += padding + buffer.nbytes
        return parts

    def decode(self, data: Buffer) -> Any:
        """Return the value. Its out-of-band buffers are read-only slices of `data`, not copies."""
        view = flat(data).toreadonly()
        if view.nbytes < HEADER.size:
            raise foreign(FRAME, data, f"a frame has at least {HEADER.size}")
        header = HEADER.unpack_from(view)
        magic, checksum, count, length = header
        if magic != MAGIC:
            raise foreign(FRAME, data, f"a frame begins with {MAGIC!r}")
        start = HEADER.size + 4 * count
        if start + length > view.nbytes:
            raise foreign(FRAME, data, f"{count} buffers and a pickle of {length} bytes do not fit")
        # A copy, unless nobody can change these bytes. What runs must be what was summed: in the ring, a
        # writer that laps this reader puts bytes here that nobody meant as a pickle.
        head = data if type(data) is bytes else bytes(view[: start + length])
        summed = memoryview(head)[SUMMED : start + length]
        if HEADER.unpack_from(head) != header or _core.checksum(summed) != checksum:
            raise foreign(FRAME, data, "its checksum is another")
        lengths = struct.unpack_from(f"<{count}I", head, HEADER.size)
        end = start + length
        buffers: list[memoryview] = []
        for size in lengths:
            first = end + -end % ALIGNMENT
            end = first + size
            buffers.append(view[first:end])
        if end != view.nbytes:
            raise foreign(FRAME, data, f"its parts have {end} bytes")
        unused = iter(buffers)
        try:
            value = pickle.loads(memoryview(head)[start : start + length], buffers=unused)
        except Exception as error:  # a pickle can raise anything, MemoryError for a length it claims too
            raise foreign("a pickle", data, error) from error
        if next(unused, None) is not None:
            raise foreign("a pickle", data, "it does not use all its buffers")
        return value
