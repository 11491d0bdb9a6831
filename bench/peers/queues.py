"""multiprocessing's Queue and SimpleQueue. A message goes to one consumer: a queue for each reader.

Both pickle, and send through a pipe; Queue by a thread of the sender's. It gets the room that others have, in
messages, or as many as its semaphore can count: without a limit it would take all there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bench.peers.fan_out import into
from bench.peers.peer import Peer, Sender
from bench.processes import CONTEXT

COUNTABLE = 32767


class SimpleQueue(Peer):
    """`put` to `get`, without a thread."""

    name = "multiprocessing.SimpleQueue"
    library = "python"
    waits = "sleeps"

    def queue(self) -> Any:
        return CONTEXT.SimpleQueue()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        self.handles = [self.queue() for _ in range(self.readers)]
        try:
            yield
        finally:
            for queue in self.handles:
                queue.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        yield into([queue.put for queue in self.handles])

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        yield iter(self.handles[index].get, b"")


class Queue(SimpleQueue):
    """`put` to `get`, with a thread that pickles and writes."""

    name = "multiprocessing.Queue"

    def queue(self) -> Any:
        return CONTEXT.Queue(min(COUNTABLE, self.room // self.size))
