"""Reader: opening, policy and errors. The hot methods are inherited from the native core."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ringlog import _core, files, slots
from ringlog.batch import Batch
from ringlog.errors import (
    ClosedError,
    CorruptStream,
    Overrun,
    RingRemoved,
    StreamEnded,
)
from ringlog.places import Start, check_name, check_start, unix_nanoseconds

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from ringlog.aio import Bell

_Answer = TypeVar("_Answer")
_WAITS = ("adaptive", "spin", "yield", "sleep")
_IN_A_ROW = 100  # events that `async for` takes without waiting before other tasks get a turn


class Reader(_core.Reader):
    """The reading end of a ring.

    path: the ring. start: "latest", the next event to be published; "oldest"; a sequence (int); or a
    datetime, the first event not before it (naive is local time). lossless: the writer waits for this
    reader; needs a slot, and write permission. name: lossless, and the position is kept in the ring when
    the reader goes: the next one of that name goes on at the first event not finished (at least once; an
    event is finished when the next is asked for, by commit(), or by leaving the `with` block without an
    exception), and `start` counts only for a name that is new. on_overrun: "raise", or "skip" and count
    in `lost`. verify: check each event's CRC-32. wait: how to wait: "adaptive" spins for microseconds,
    then sleeps until woken; "spin"; "yield"; "sleep". open_timeout: seconds to wait for the
    file; if it had to be waited for, "latest" is its first event.

    A lossy reader costs the writer nothing. With read permission alone it works too, but polls every
    millisecond when it waits. Use it as a context manager and iterate over it, with `for` or, in asyncio,
    with `async for`; iteration stops when the stream has ended. Several threads may share one: they take
    turns; so may several tasks, and each event goes to one of them. A cancelled task loses no event.
    Pickling passes the arguments, not the position. A forked child may go on with a lossy reader (from
    where the parent's stood), but not with one that has a slot: that raises ClosedError.

    Raises FileNotFoundError, PermissionError, NotARing, VersionMismatch, StreamTruncated, CorruptStream,
    ValueError (a sequence beyond the next event; a bad argument), NameInUse, TooManyReaders,
    TimeoutError (another process has been stuck for ten seconds while it attaches).
    """

    def __init__(
        self,
        path: files.StrPath,
        *,
        start: Start = "latest",
        lossless: bool = False,
        name: str | None = None,
        on_overrun: Literal["raise", "skip"] = "raise",
        verify: bool = True,
        wait: Literal["adaptive", "spin", "yield", "sleep"] = "adaptive",
        open_timeout: float = 0.0,
    ) -> None:
        check_start(start)
        raw_name = check_name(name)
        if on_overrun not in ("raise", "skip"):
            raise ValueError(f'on_overrun must be "raise" or "skip", not {on_overrun!r}')
        if wait not in _WAITS:
            raise ValueError(f"wait must be one of {', '.join(map(repr, _WAITS))}, not {wait!r}")
        if not open_timeout >= 0:  # nor NaN, which no deadline would ever be before
            raise ValueError(f"open_timeout must be 0 or more seconds, not {open_timeout}")
        self._arguments: dict[str, Any] = {
            "start": start,
            "lossless": lossless,
            "name": name,
            "on_overrun": on_overrun,
            "verify": verify,
            "wait": wait,
            "open_timeout": open_timeout,
        }
        self._pid = os.getpid()
        self._path = os.path.abspath(os.fspath(path))
        self._named = name is not None
        self._skip = on_overrun == "skip"
        self._claim: slots.Claim | None = None
        self._was_first = False
        self._in_a_row = 0
        self._bells: dict[AbstractEventLoop, Bell] = {}
        self._mapping = self._open(need_slot=lossless or self._named, timeout=open_timeout)
        try:
            if lossless or self._named:
                self._claim = slots.claim_reader(self._mapping, raw_name)
            slot = self._claim.slot if self._claim else -1
            self._attach(self._mapping, slot, self._named, verify, _WAITS.index(wait), Batch)
            if self._claim and self._claim.cursor:
                self._resume(self._claim.cursor, self._claim.lost_from)
            else:
                # Whoever was here before the ring was has missed nothing: all of it comes next.
                self._go_to(0 if start == "latest" and self._was_first else start)
        except BaseException:
            self._release()
            raise

    def _open(self, *, need_slot: bool, timeout: float) -> _core.Mapping:
        deadline = time.monotonic() + timeout
        while True:
            try:
                mapping = self._attach_file(need_slot)
            except FileNotFoundError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                self._was_first = True
                time.sleep(min(0.01, left))
                continue
            files.restart_after_crash(mapping, self._path)
            return mapping

    def _attach_file(self, need_slot: bool) -> _core.Mapping:
        try:
            return files.attach(self._path, os.O_RDWR, _core.MAP_ANNOUNCE)[0]
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            if need_slot:
                raise PermissionError(
                    errno.EACCES, "a lossless or named reader needs write permission", self._path
                ) from None
            return files.attach(self._path, os.O_RDONLY, _core.MAP_READ)[0]

    # ---- places ----

    def _go_to(self, start: Start) -> None:
        not_before = 0
        lost_from = -1
        if start == "latest":
            place = self._ask(self._mapping.head)
        elif start == "oldest":
            place = self._ask(self._mapping.tail)
        elif isinstance(start, datetime):
            not_before = unix_nanoseconds(start)
            place = self._find(self._mapping.seek_time, not_before)
        else:
            assert isinstance(start, int)
            head = self._ask(self._mapping.head)
            if start > head[1]:
                raise ValueError(f"sequence {start} is beyond the next event, {head[1]}")
            place = self._find(self._mapping.seek_sequence, start)
            if place[1] > start:
                lost_from = start
        # Whatever the writer takes meanwhile from "latest", "oldest" or a time was not asked for by name.
        self._place(*place, lost_from, not_before, not isinstance(start, int))

    def _resume(self, cursor: slots.Place, lost_from: int) -> None:
        """Go on at the cursor of our name, which has to be a place where an event begins, or began."""
        head = self._ask(self._mapping.head)
        place = self._find(self._mapping.seek_sequence, cursor[1])
        gone = cursor[1] < place[1]
        if (
            not (_core.FIRST_POSITION <= cursor[0] <= head[0])
            or lost_from > head[1]
            or not (gone or place == cursor)
        ):
            raise CorruptStream(
                f"{self._path}: the cursor of {self._arguments['name']!r} is damaged: forget() drops it"
            )
        if gone and lost_from < 0:
            lost_from = cursor[1]
        self._place(*place, lost_from, 0, False)

    def _find(self, seek: Callable[[int], slots.Place | None], goal: int) -> slots.Place:
        """Seek, and again if the writer passed us while we walked."""
        for _ in range(100_000):
            place = self._ask(lambda: seek(goal))
            if place is not None:
                return place
        raise CorruptStream(f"{self._path}: the tail is never where it was a moment ago")

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask the mapping for a place; a header in which none can be found is a corrupt stream."""
        try:
            answer = question()
        except ValueError as error:
            broken = files.breakage(self._mapping, self._path)
            raise broken or CorruptStream(f"{self._path}: {error}") from None
        if self._mapping.broken:
            self._broken()
        return answer

    # ---- what the native half asks ----

    def _overrun(self, first: int, last: int) -> Overrun | None:
        return None if self._skip else Overrun(first, last)

    def _overrun_in_view(self, first: int, last: int) -> Overrun:
        return Overrun(first, last)

    def _viewed(self) -> None:
        raise BufferError("a view of this Reader is open: leave its block first")

    def _view_over(self) -> None:
        raise ClosedError("this view is over: its block was left")

    def _view_held(self) -> None:
        raise BufferError(
            "something still holds the view's memory (an array made on it? delete it in the block): "
            "what it shows may be overwritten from here on"
        )

    def _broken(self) -> None:
        raise files.breakage(self._mapping, self._path) or CorruptStream(f"{self._path}: memory was missing")

    def _corrupt(self, why: str = "head and tail of the stream are damaged") -> None:
        if error := files.breakage(self._mapping, self._path):
            raise error
        raise CorruptStream(f"{self._path}: at position {self.position}, sequence {self.sequence}: {why}")

    def _ended(self) -> None:
        raise StreamEnded(f"{self._path}: the stream has ended")

    def _removed(self) -> None:
        raise RingRemoved(f"{self._path}: the ring was removed")

    def _unusable(self) -> None:
        if self._state == "forked":
            raise ClosedError(
                f"this Reader has a slot that belongs to process {self._pid}, which forked this one: "
                "open another here"
            )
        raise ClosedError("this Reader is closed")

    # ---- the rest of the API ----

    def seek(self, start: Start) -> None:
        """Go to another place: as `start` of the constructor. A named reader's cursor moves with it.

        Raises ValueError (a sequence beyond the next event), CorruptStream, ClosedError. A sequence that
        is gone raises Overrun at the next read.
        """
        check_start(start)
        if self._state != "open":
            self._unusable()
        self._go_to(start)

    def commit(self) -> None:
        """All that was returned so far is finished: the next reader of this name goes on behind it.

        Does nothing for readers without a name. Raises ClosedError.
        """
        self._finish()

    def close(self) -> None:
        """Let go of the ring; closing twice does nothing. A read that waits in another thread, and an
        `async for` that waits in any, raises ClosedError. A named reader's last event stays unfinished
        unless commit() was called."""
        if hasattr(self, "_mapping"):
            self._release()

    def __iter__(self) -> Iterator[_core.Event]:
        return self

    def __aiter__(self) -> AsyncIterator[_core.Event]:
        return self

    async def __anext__(self) -> _core.Event:
        give_way = self._in_a_row >= _IN_A_ROW
        try:
            if not give_way and (event := self.poll()) is not None:
                self._in_a_row += 1
                return event
            from ringlog import aio  # not before it is needed: asyncio takes longer to import than all of us

            self._in_a_row = 0
            return await aio.next_event(self, give_way=give_way)
        except StreamEnded:
            raise StopAsyncIteration from None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._named and self._state == "open":
                self.commit()
        finally:
            self.close()

    def __del__(self) -> None:
        if hasattr(self, "_mapping"):
            if self._state == "open" and self._pid == os.getpid():
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self._drop_views()  # collected together with us, and perhaps behind us
            with contextlib.suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"<ringlog.Reader {self._path!r} at {self.sequence} {self._state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self._path, self._arguments)

    def _release(self) -> None:
        if (mapping := self.__dict__.get("_mapping")) is None:
            return
        ours = self._state != "forked" and self._pid == os.getpid()
        self._detach()
        if ours and self._claim:
            slots.release_reader(mapping, self._claim)
        self.__dict__.pop("_mapping", None)  # a second thread in here may have been faster


def _reopen(kind: type[Reader], path: str, arguments: dict[str, Any]) -> Reader:
    return kind(path, **arguments)
