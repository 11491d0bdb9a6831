"""membridge's SpscRingBuffer: one producer and one consumer, a lock-free ring in shared memory."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from bench.peers.peer import Peer, Sender
from bench.peers.trying import insisting

HEADER = 24  # bytes before the ring's own, by its documentation


class Membridge(Peer):
    """`push` to `pop`, polled: bytes go in and come out as they are if no type is named."""

    name = "membridge"
    library = "membridge"
    needs = ("membridge",)
    most_readers = 1
    alone = "in bursts"

    @property
    def segment(self) -> str:
        return f"/{self.folder.name}-peer"  # the folder lies in the same place

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        from membridge import SharedMemory

        # The one that creates it initialises the ring, which the ends then only open.
        made = SharedMemory.create(self.segment, self.room + HEADER)
        ring = made.spsc()
        try:
            yield
        finally:
            del ring, made
            SharedMemory.remove(self.segment)

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        from membridge import SharedMemory

        memory = SharedMemory.open(self.segment)
        yield insisting([memory.spsc().push])

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        from membridge import SharedMemory

        memory = SharedMemory.open(self.segment)
        yield itertools.starmap(memory.spsc().pop, itertools.repeat(()))
