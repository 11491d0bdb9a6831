"""TypedReader: values from a ring or a log."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ringlog._core import Event
from ringlog.codecs.codec import Codec, decode
from ringlog.codecs.decoded import Decoded
from ringlog.codecs.typed_view import TypedView
from ringlog.errors import ClosedError
from ringlog.places import Start
from ringlog.reader import Reader

if TYPE_CHECKING:
    from ringlog.log.reader import LogReader

T = TypeVar("T")


class TypedReader(Generic[T]):
    """A reader that gives values: each event is decoded by the codec.

    reader, codec: a Reader or a LogReader (then without view, commit and `async for`), and what decodes; kept
    as they are, in the attributes of these names. What blocks, what can be lost and what else is raised: as
    the reader's own methods. An event that is not what the codec expects is a CodecError that names its
    sequence, and is consumed: the next call gives the next event. The same holds
    for anything else that a codec of your own raises. (A named reader that leaves its `with` block by that
    error starts at this event again, as after any error: catch it inside.)

    After a read_many that met a bad event some events may be here that the reader itself has passed. They
    come next; go elsewhere with `seek` of this object, and finish with `commit` of this object. Use it as a
    context manager: it closes the reader. Pickling passes the reader's arguments, not the position.
    """

    __slots__ = ("_ahead", "_codec", "_reader")

    def __init__(self, reader: Reader | LogReader, codec: Codec[T]) -> None:
        self._reader = reader
        self._codec = codec
        self._ahead: deque[Event] = deque()  # taken from the reader, not yet given to anybody

    @property
    def reader(self) -> Reader | LogReader:
        """The reader beneath."""
        return self._reader

    @property
    def codec(self) -> Codec[T]:
        """The codec that decodes."""
        return self._codec

    # ---- reading ----

    def poll(self) -> Decoded[T] | None:
        """Return the next value, or None if there is none now. Never waits. Raises CodecError, Overrun,
        CorruptStream, StreamEnded, RingRemoved, ClosedError."""
        event = self._next_ahead() or self._reader.poll()
        return None if event is None else self._decode(event)

    def read(self, timeout: float | None = None) -> Decoded[T]:
        """Return the next value; wait up to timeout seconds for it, None for ever. Raises TimeoutError and
        what poll raises."""
        return self._decode(self._next_ahead() or self._reader.read(timeout))

    def read_many(self, limit: int = 1024, timeout: float | None = 0.0) -> list[Decoded[T]]:
        """Return up to limit values; wait up to timeout seconds for the first. Raises what poll raises.

        The values before a bad event are returned first; the next call, of whatever kind, raises its error.
        """
        events = self._take_ahead(limit) or self._reader.read_many(limit, timeout)
        values: list[Decoded[T]] = []
        try:
            for event in events:
                values.append(self._decoded(event))
        except Exception:
            # With nothing before it the error is told now; else it comes again when it is decoded again.
            told = 0 if values else 1
            self._ahead.extendleft(reversed(events[len(values) + told :]))
            if told:
                raise
        except BaseException:  # Ctrl-C: none of them was given to anybody
            self._ahead.extendleft(reversed(events))
            raise
        return values

    def view(self, timeout: float | None = 0.0) -> TypedView[T] | None:
        """Return the next event as a context manager that decodes it in place, in the ring, or None if there
        is none within timeout seconds. Raises what poll raises; CodecError on entering."""
        event = self._next_ahead()
        view = self._ring.view(timeout) if event is None else contextlib.nullcontext(event)
        return None if view is None else TypedView(view, self._codec)

    def __iter__(self) -> Iterator[Decoded[T]]:
        return self

    def __next__(self) -> Decoded[T]:
        return self._decode(self._next_ahead() or next(self._reader))

    def __aiter__(self) -> AsyncIterator[Decoded[T]]:
        return _AsyncValues(self, aiter(self._ring))

    # ---- places ----

    def seek(self, start: Start) -> None:
        """Go to another place: as `Reader.seek`."""
        self._reader.seek(start)
        self._ahead.clear()

    def commit(self) -> None:
        """All that was returned so far is finished: as `Reader.commit`."""
        self._step_back()
        self._ring.commit()

    def close(self) -> None:
        """Close the reader. A named one's last event stays unfinished unless commit() was called."""
        self._ahead.clear()
        self._reader.close()

    def __enter__(self) -> TypedReader[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with contextlib.suppress(ClosedError):
                    self._step_back()
        except BaseException as failed:
            self._reader.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._reader.__exit__(kind, error, trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._reader, self._codec)

    def __repr__(self) -> str:
        return f"TypedReader({self._reader!r}, {self._codec!r})"

    # ---- inside ----

    @property
    def _ring(self) -> Reader:
        """For what only a ring's reader can: a log's has no such method, and says so."""
        return cast(Reader, self._reader)

    def _decoded(self, event: Event) -> Decoded[T]:
        return Decoded(event.sequence, event.timestamp, decode(self._codec, event))

    def _decode(self, event: Event) -> Decoded[T]:
        try:
            return self._decoded(event)
        except Exception:
            raise
        except BaseException:  # Ctrl-C: the event is still to be given
            self._ahead.appendleft(event)
            raise

    def _next_ahead(self) -> Event | None:
        try:
            return self._ahead.popleft()
        except IndexError:
            return None

    def _take_ahead(self, limit: int) -> list[Event]:
        return [self._ahead.popleft() for _ in range(min(limit, len(self._ahead)))]

    def _step_back(self) -> None:
        """Let a named reader stand at the first event that nobody was given: that place is kept."""
        if self._ahead and isinstance(self._reader, Reader) and self._reader._named:
            self._reader.seek(self._ahead[0].sequence)
            self._ahead.clear()


class _AsyncValues(Generic[T]):
    """An iterator of its own, not a generator: it goes on after an error."""

    __slots__ = ("_events", "_reader")

    def __init__(self, reader: TypedReader[T], events: AsyncIterator[Event]) -> None:
        self._reader = reader
        self._events = events

    def __aiter__(self) -> _AsyncValues[T]:
        return self

    async def __anext__(self) -> Decoded[T]:
        event = self._reader._next_ahead()
        return self._reader._decode(await anext(self._events) if event is None else event)
