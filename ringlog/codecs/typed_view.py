"""TypedView: a value decoded in place, on the ring's own memory."""

from __future__ import annotations

import contextlib
import traceback
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from ringlog.codecs.codec import Codec, decode
from ringlog.errors import ClosedError

T = TypeVar("T")


class TypedView(Generic[T]):
    """One event, decoded in place: `with typed.view() as view: work(view.value)`.

    ArrayCodec's value, and the buffers of PickleCodec's, lie in the ring itself, aligned to nothing: use
    `view.value` inside the block, and delete there what you made of it. msgspec's codecs copy the event.

    Entering raises CodecError. Leaving raises Overrun if the writer of a lossy reader has come by meanwhile
    (what was seen may be torn), and BufferError if something still holds the memory.
    """

    # Not a Decoded: `with ... as decoded` would still hold the memory when the block ends.
    __slots__ = ("_codec", "_event", "_value", "_view")

    def __init__(self, view: AbstractContextManager[Any], codec: Codec[T]) -> None:
        self._view = view
        self._codec = codec
        self._event: Any = None
        self._value: tuple[T] | None = None

    @property
    def sequence(self) -> int:
        """0-based index of the event in its stream. Raises ClosedError outside the block."""
        self._inside()
        return int(self._event.sequence)

    @property
    def timestamp(self) -> int:
        """When it was published: Unix time in nanoseconds. Raises ClosedError outside the block."""
        self._inside()
        return int(self._event.timestamp)

    @property
    def value(self) -> T:
        """What the codec made of its data. Raises ClosedError outside the block."""
        return self._inside()[0]

    def _inside(self) -> tuple[T]:
        if self._value is None:
            raise ClosedError("this view's value is there inside its block only")
        return self._value

    def __enter__(self) -> TypedView[T]:
        self._event = self._view.__enter__()
        try:
            self._value = (decode(self._codec, self._event),)
        except Exception as error:
            self._event = None
            for frames in (error, error.__cause__):  # their variables are slices of the memory
                if frames is not None:
                    traceback.clear_frames(frames.__traceback__)
            # As if all were well: an event overwritten while it was decoded is an Overrun, not a foreign one.
            with contextlib.suppress(BufferError):
                self._view.__exit__(None, None, None)
            raise
        except BaseException as error:
            self._event = None
            self._view.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._event = self._value = None
        self._view.__exit__(kind, error, trace)
