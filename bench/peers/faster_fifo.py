"""faster-fifo: a queue in shared memory under a mutex.

A message goes to one consumer, so there is a queue for each reader. It pickles unless it is given other
functions: here `bytes`, which costs nothing for bytes going in, and one copy out of the receive buffer.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from bench.peers.peer import Peer, Sender

LONG = 3600.0  # seconds; both ends wait ten unless they are told


class FasterFifo(Peer):
    """`put` to `get`."""

    name = "faster-fifo"
    library = "faster-fifo"
    needs = ("faster_fifo",)
    waits = "sleeps"
    alone = "in bursts"

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        from faster_fifo import Queue

        self.handles = [Queue(self.room, loads=bytes, dumps=bytes) for _ in range(self.readers)]
        yield

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        puts = [queue.put for queue in self.handles]

        def one(message: Any) -> None:
            for put in puts:
                put(message, True, LONG)

        def many(messages: Sequence[bytes], count: int) -> None:
            for message in itertools.islice(itertools.cycle(messages), count):
                for put in puts:
                    put(message, True, LONG)

        yield Sender(one, many)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        get = self.handles[index].get
        yield map(get, itertools.repeat(True), itertools.repeat(LONG))


class FasterFifoMany(FasterFifo):
    """`put_many` to `get_many`: lists in and lists out."""

    name = "faster-fifo, put_many to get_many"
    together = 1024
    lists = True

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        puts = [queue.put_many for queue in self.handles]
        step = self.at_once

        def one(message: Any) -> None:
            for put in puts:
                put([message], True, LONG)

        def many(messages: Sequence[bytes], count: int) -> None:
            source = itertools.islice(itertools.cycle(messages), count)
            while batch := list(itertools.islice(source, step)):
                for put in puts:
                    put(batch, True, LONG)

        yield Sender(one, many)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        get = self.handles[index].get_many
        yield map(get, itertools.repeat(True), itertools.repeat(LONG), itertools.repeat(self.at_once))
