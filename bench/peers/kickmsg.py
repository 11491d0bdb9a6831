"""kickmsg: publish and subscribe in shared memory; a subscriber that lags loses the oldest.

A pool of slots, each as large as the longest message, and for every subscriber a ring of places: as many
slots as go into the room, and a few to spare for those that are being written or read.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from bench.peers.peer import Peer, Sender


class Kickmsg(Peer):
    """`send` to `try_receive`, polled."""

    name = "kickmsg"
    library = "kickmsg"
    needs = ("kickmsg",)
    lossless = False

    @property
    def region(self) -> str:
        return f"/{self.folder.name}-peer"  # the folder lies in the same place

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        import kickmsg

        config = kickmsg.Config()
        config.max_subscribers = self.readers
        config.max_payload_size = self.size
        config.sub_ring_capacity = 1 << ((self.room // self.size).bit_length() - 1)
        config.pool_size = config.sub_ring_capacity + 4 * (self.readers + 1)
        region = kickmsg.SharedRegion.create(self.region, kickmsg.ChannelType.PubSub, config)
        try:
            yield
        finally:
            region.unlink()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        import kickmsg

        send = kickmsg.Publisher(kickmsg.SharedRegion.open(self.region)).send

        def one(message: Any) -> None:
            with contextlib.suppress(BlockingIOError):  # no slot is free: this one is lost, as others are
                send(message)

        def many(messages: Sequence[bytes], count: int) -> None:
            for message in itertools.islice(itertools.cycle(messages), count):
                try:  # noqa: SIM105 - suppress() costs a call for every message
                    send(message)
                except BlockingIOError:
                    pass

        yield Sender(one, many)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        import kickmsg

        yield self.what_comes(kickmsg.Subscriber(kickmsg.SharedRegion.open(self.region)))

    def what_comes(self, subscriber: Any) -> Iterator[Any]:
        return itertools.starmap(subscriber.try_receive, itertools.repeat(()))


class KickmsgWaiting(Kickmsg):
    """`send` to `receive`, which sleeps on a futex."""

    name = "kickmsg, receive"
    waits = "sleeps"
    alone = "no"  # its sender is the same

    def what_comes(self, subscriber: Any) -> Iterator[Any]:
        return map(subscriber.receive, itertools.repeat(0.1))
