"""Decoded: what an Event is once its data has been decoded."""

from __future__ import annotations

from typing import Final, TypeVar

T = TypeVar("T")


class Decoded(tuple[int, int, T]):
    """One event with its value: sequence, timestamp (Unix nanoseconds), value.

    A tuple, with names for its fields.
    """

    # Not a NamedTuple: on 3.10 that can't be generic.
    __slots__ = ()
    __match_args__: Final = ("sequence", "timestamp", "value")

    def __new__(cls, sequence: int, timestamp: int, value: T) -> Decoded[T]:
        return tuple.__new__(cls, (sequence, timestamp, value))

    @property
    def sequence(self) -> int:
        """0-based index of the event in its stream."""
        return self[0]

    @property
    def timestamp(self) -> int:
        """When it was published: Unix time in nanoseconds."""
        return self[1]

    @property
    def value(self) -> T:
        """What the codec made of its data."""
        return self[2]

    def __getnewargs__(self) -> tuple[int, int, T]:
        return (self[0], self[1], self[2])

    def __repr__(self) -> str:
        return f"Decoded(sequence={self[0]!r}, timestamp={self[1]!r}, value={self[2]!r})"
