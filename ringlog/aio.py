"""What `async for event in reader` does when there is nothing to read. Imported at the first such wait.

Each loop listens to a duplicate of the reader's descriptor, only while a task of it waits. The loop opens it
and closes it, so whatever another thread does to the reader, the loop never listens to a closed descriptor
or to one whose number is somebody else's by now.
"""

from __future__ import annotations

import asyncio
import os
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
            bell = reader._bells[loop] = Bell(reader, loop)
        await bell.wait()
    return event


class Bell:
    """The tasks of one loop that wait for one reader. It rings once: they all look, and wait again by a new
    one. (Listening on would call us again and again until a task has drained the descriptor.)"""

    def __init__(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        self._reader = reader
        self._loop = loop
        self._pid = os.getpid()
        self._waiting: set[asyncio.Future[None]] = set()
        self._fd = os.dup(reader.fileno())
        try:
            loop.add_reader(self._fd, self._ring)
        except BaseException:
            os.close(self._fd)
            raise

    async def wait(self) -> None:
        future = self._loop.create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if not self._waiting:
                self._put_away()

    def _ring(self) -> None:
        self._put_away()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _put_away(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        del self._reader._bells[self._loop]
        try:
            # A task may be collected after its loop has closed; or in a forked child, which shares the
            # parent's epoll and would make the parent deaf.
            if not self._loop.is_closed() and self._pid == os.getpid():
                self._loop.remove_reader(fd)
        finally:
            os.close(fd)
