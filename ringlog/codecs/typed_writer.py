"""TypedWriter: values into a ring or a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from ringlog.codecs.codec import Codec, flat
from ringlog.writer import Writer

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ringlog.log.writer import LogWriter

T = TypeVar("T")

JOINED = 64 << 10  # bytes: below, joining the parts costs less than making a claim (measured)


class TypedWriter(Generic[T]):
    """A writer that takes values: the codec makes an event of each.

    writer, codec: a Writer or a LogWriter, and what encodes; kept as they are, in the attributes of these
    names. Whatever the codec raises leaves the stream as it was. What blocks and what else is raised: as the
    writer's own methods. Use it as a context manager: it closes the writer. Threads may share one if they
    may share the codec, as all of ringlog's allow; it pickles if the codec does, and the writer is a ring's.
    """

    __slots__ = ("_codec", "_writer")

    def __init__(self, writer: Writer | LogWriter, codec: Codec[T]) -> None:
        self._writer = writer
        self._codec = codec

    @property
    def writer(self) -> Writer | LogWriter:
        """The writer beneath."""
        return self._writer

    @property
    def codec(self) -> Codec[T]:
        """The codec that encodes."""
        return self._codec

    def append(self, value: T, *, timestamp: int | None = None) -> int:
        """Publish a value as one event; its sequence.

        A large message of several parts (an array, a pickle with buffers) is copied part by part straight
        into a ring; for a log, with a timestamp given, or if it is small, its parts are joined first. Raises
        what the codec's encode and `Writer.append` raise.
        """
        parts = self._codec.encode(value)
        if len(parts) == 1:
            return self._writer.append(parts[0], timestamp=timestamp)
        rows = [flat(part) for part in parts]
        size = sum(row.nbytes for row in rows)
        if size > JOINED and timestamp is None and hasattr(self._writer, "claim"):  # a log's has none
            return _append_claimed(cast(Writer, self._writer), rows, size)
        return self._writer.append(b"".join(rows), timestamp=timestamp)

    def append_many(self, values: Iterable[T], *, timestamp: int | None = None) -> range:
        """Publish the values as a batch, all or none; their sequences.

        All are encoded, and joined, before the lock is taken. Raises what the codec's encode and
        `Writer.append_many` raise.
        """
        items = [_join(self._codec.encode(value)) for value in values]
        return self._writer.append_many(items, timestamp=timestamp)

    def close(self) -> None:
        """Close the writer."""
        self._writer.close()

    def __enter__(self) -> TypedWriter[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"TypedWriter({self._writer!r}, {self._codec!r})"


def _join(parts: Sequence[Buffer]) -> Buffer:
    return parts[0] if len(parts) == 1 else b"".join([flat(part) for part in parts])


def _append_claimed(writer: Writer, rows: list[memoryview], size: int) -> int:
    """Publish the rows as one event, copied once."""
    claim = writer.claim(size)
    with claim as room:
        end = 0
        for row in rows:
            room[end : end + row.nbytes] = row
            end += row.nbytes
    assert claim.sequence is not None
    return claim.sequence
