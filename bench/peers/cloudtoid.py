"""cloudtoid-interprocess: byte queues in shared memory.

A message goes to one consumer, so there is a queue for each reader.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

from bench.peers.peer import Peer, Sender
from bench.peers.trying import insisting


class Cloudtoid(Peer):
    """`try_send` to `try_receive`, polled."""

    name = "cloudtoid-interprocess"
    library = "cloudtoid-interprocess"
    needs = ("cloudtoid_interprocess",)
    alone = "in bursts"

    @contextlib.contextmanager
    def publishers(self) -> Iterator[list[Any]]:
        from cloudtoid_interprocess import Publisher

        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(Publisher(f"q{index}", self.room, self.folder))
                for index in range(self.readers)
            ]

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        with self.publishers() as publishers:
            yield insisting([publisher.try_send for publisher in publishers])

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        from cloudtoid_interprocess import Subscriber

        with Subscriber(f"q{index}", self.room, self.folder) as subscriber:
            yield self.what_comes(subscriber)

    def what_comes(self, subscriber: Any) -> Iterator[Any]:
        return itertools.starmap(subscriber.try_receive, itertools.repeat(()))


class CloudtoidWaiting(Cloudtoid):
    """`try_send` to `receive`, which sleeps while there is nothing."""

    name = "cloudtoid-interprocess, receive"
    waits = "sleeps"
    alone = ""  # its sender is the same

    def what_comes(self, subscriber: Any) -> Iterator[Any]:
        return itertools.starmap(subscriber.receive, itertools.repeat(()))


class CloudtoidBatches(Cloudtoid):
    """`try_send_batch` to `try_receive`, polled: there is no receiving in batches."""

    name = "cloudtoid-interprocess, try_send_batch"
    together = 1024

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        step = self.at_once
        with self.publishers() as publishers:
            sends = [publisher.try_send_batch for publisher in publishers]

            def many(messages: Sequence[bytes], count: int) -> None:
                source = itertools.islice(itertools.cycle(messages), count)
                while batch := list(itertools.islice(source, step)):
                    for send in sends:
                        sent = send(batch)
                        while sent < len(batch):  # as many went in as there was room for
                            os.sched_yield()
                            sent += send(batch[sent:])

            yield Sender(insisting([publisher.try_send for publisher in publishers]).one, many)
