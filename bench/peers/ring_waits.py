"""ringlog's other ways to wait for an event: what `latency` and `idle` compare beside those in `ring`."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ringlog
from bench.peers.ring import Ring


class RingAsleep(Ring):
    """A reader that sleeps at once, without looking a second time."""

    name = "ringlog, wait=sleep"
    wait = "sleep"


class RingPolling(Ring):
    """`poll` in a Python loop: nothing is waited for in the library, so the GIL is never let go."""

    name = "ringlog, poll"
    waits = "spins"

    def what_comes(self, reader: ringlog.Reader) -> Iterator[Any]:
        poll = reader.poll
        while True:
            event = poll()
            if event is not None:
                yield event.data


class RingSelected(Ring):
    """`fileno` in a `select`, as in a loop of the user's own; then `poll` until there is nothing left."""

    name = "ringlog, fileno and select"

    def what_comes(self, reader: ringlog.Reader) -> Iterator[Any]:
        ready, poll, watched = select.select, reader.poll, [reader.fileno()]
        while True:
            while (event := poll()) is not None:
                yield event.data
            ready(watched, (), ())


class RingAsync(Ring):
    """`async for` in an asyncio loop: `receiving` gives an asynchronous iterator."""

    name = "ringlog, async for"

    def what_comes(self, reader: ringlog.Reader) -> Any:
        return self.as_they_come(reader)

    async def as_they_come(self, reader: ringlog.Reader) -> AsyncIterator[Any]:
        async for event in reader:
            yield event.data


class RingReadOnly(Ring):
    """A reader that may only read the file: it can't say that it sleeps, so it looks each millisecond."""

    name = "ringlog, read permission only"
    lossless = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with super().opened():
            os.chmod(self.folder, 0o711)
            yield

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        os.chmod(self.path, 0o444)  # the writer has opened it by now
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may write whatever the file's mode says
        with ringlog.Reader(self.path) as reader:
            yield self.what_comes(reader)
