"""pynng over ipc: a pair of push and pull for each reader, and publish and subscribe, which drops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bench.peers import fan_out
from bench.peers.peer import Peer, Sender

LONGEST_QUEUE = 8192  # messages; nng refuses more


class NngPush(Peer):
    """A PUSH socket and a PULL socket for each reader; PUSH waits for room."""

    name = "pynng, Push0/Pull0"
    library = "pynng"
    needs = ("pynng",)
    waits = "sleeps"
    types = ("Push0", "Pull0")

    @property
    def channels(self) -> int:
        return self.readers

    def options(self, which: str) -> dict[str, Any]:
        """Half of the room at each end; nng counts in messages."""
        queue = max(1, min(LONGEST_QUEUE, self.room // 2 // max(self.size, 1)))
        return {f"{which}_buffer_size": queue, "recv_max_size": 2 * self.size + 64}

    def address(self, number: int) -> str:
        return f"ipc://{self.folder}/{number}"

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        import pynng

        with contextlib.ExitStack() as stack:
            make = getattr(pynng, self.types[0])
            sockets = [
                stack.enter_context(make(listen=self.address(number), **self.options("send")))
                for number in range(self.channels)
            ]
            yield fan_out.into([socket.send for socket in sockets])

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        import pynng

        make = getattr(pynng, self.types[1])
        with make(**self.options("recv")) as socket:
            if self.types[1] == "Sub0":
                socket.subscribe(b"")
            socket.dial(self.address(index % self.channels), block=True)
            yield iter(socket.recv, None)


class NngPub(NngPush):
    """One PUB socket for all; it drops what a subscriber has no room for."""

    name = "pynng, Pub0/Sub0"
    lossless = False
    types = ("Pub0", "Sub0")

    @property
    def channels(self) -> int:
        return 1
