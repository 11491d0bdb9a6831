"""What `async for event in reader` does when there is nothing to read. Imported at the first such wait.

Each loop listens to a duplicate of the reader's descriptor. The loop opens it and closes it, so whatever
another thread does to the reader, the loop never listens to a closed descriptor or to one whose number is
somebody else's by now. It goes on listening between waits, and stops when it hears something that no task
waits for.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringlog.events import Event
    from ringlog.reader import Reader


async def next_event(reader: Reader, *, give_way: bool) -> Event:
    """The next event, waiting for it in the running loop; with `give_way` others get a turn first.

    Nothing is awaited between taking an event and returning it: cancellation can't lose one.
    Raises what poll() raises, and OSError (no descriptor left).
    """
    if give_way:
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    while (event := reader.poll()) is None:
        bell = reader._bells.get(loop)
        if bell is None:
            for other in list(reader._bells):  # other threads have loops of their own, and do the same
                if other.is_closed():
                    reader._bells.pop(other, None)
            bell = reader._bells[loop] = Bell(reader, loop)
        await bell.wait()
    return event


class Bell:
    """The tasks of one loop that wait for one reader. When it rings, they all look, and wait again."""

    def __init__(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        # Not the reader itself: the loop holds us, and a reader that nobody reads any more may go.
        self._reader = weakref.ref(reader)
        self._loop = loop
        self._pid = os.getpid()
        self._waiting: set[asyncio.Future[None]] = set()
        self._fd = -1
        self._fd = os.dup(reader.fileno())
        try:
            # Still open: so no other thread had closed it, and that was its number when we duplicated it.
            reader.fileno()
            loop.add_reader(self._fd, self._ring)
        except BaseException:
            self._close()
            raise

    async def wait(self) -> None:
        future = self._loop.create_future()
        self._waiting.add(future)
        try:
            await future
        except BaseException:  # cancelled; or collected, perhaps after the loop was closed
            self._waiting.discard(future)
            if not self._waiting:
                self._put_away()
            raise

    def _ring(self) -> None:
        reader = self._reader()
        if reader is not None and reader._quiet:
            return  # a task has emptied it since the loop saw this
        if not self._waiting:
            self._put_away()  # listening on would call us again and again until a task has emptied it
            return
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def _put_away(self) -> None:
        if self._fd < 0:
            return
        reader = self._reader()
        if reader is not None:
            reader._bells.pop(self._loop, None)
        # In a forked child the parent's epoll is shared: this would make the parent deaf.
        if self._pid == os.getpid() and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self._close()  # its loop was closed with nobody waiting
