"""pyzmq over ipc: publish and subscribe, lossy and lossless, and a pair of push and pull for each reader.

The high-water marks, half of the room at each end, are in messages. Side by side, sending with `copy=False`
won at 1 MiB only (at 64 KiB its bookkeeping costs as much as the copy, below that pyzmq copies anyway), and
receiving so at no size: what it saves, the comparison needs to make bytes of the frame.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from bench.peers import fan_out
from bench.peers.peer import Peer, Sender

LARGE = 256 << 10  # bytes; from here on sending without a copy is worth its bookkeeping


class ZmqXPub(Peer):
    """One XPUB socket whose send waits, by XPUB_NODROP, until there is room for every subscriber."""

    name = "pyzmq, XPUB/SUB that waits"
    library = "pyzmq"
    needs = ("zmq",)
    waits = "sleeps"
    sender_type = "XPUB"
    receiver_type = "SUB"

    def address(self, number: int) -> str:
        return f"ipc://{self.folder}/{number}"

    @property
    def mark(self) -> int:
        return max(1, self.room // 2 // max(self.size, 1))

    @property
    def channels(self) -> int:
        return 1

    def set_sender(self, zmq: Any, socket: Any) -> None:
        socket.set(zmq.XPUB_NODROP, 1)

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        import zmq

        with contextlib.ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            sends = []
            for number in range(self.channels):
                socket = stack.enter_context(context.socket(getattr(zmq, self.sender_type)))
                socket.set(zmq.LINGER, 0)
                socket.set(zmq.SNDHWM, self.mark)
                self.set_sender(zmq, socket)
                socket.bind(self.address(number))
                sends.append(partial(socket.send, copy=False) if self.size >= LARGE else socket.send)
            yield fan_out.into(sends)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        import zmq

        with zmq.Context() as context, context.socket(getattr(zmq, self.receiver_type)) as socket:
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.RCVHWM, self.mark)
            socket.connect(self.address(index % self.channels))
            if self.receiver_type == "SUB":
                socket.set(zmq.SUBSCRIBE, b"")
            yield iter(socket.recv, None)


class ZmqPub(ZmqXPub):
    """The plain PUB socket, which drops what a subscriber has no room for."""

    name = "pyzmq, PUB/SUB"
    lossless = False
    sender_type = "PUB"

    def set_sender(self, zmq: Any, socket: Any) -> None:
        pass


class ZmqPush(ZmqXPub):
    """A PUSH socket and a PULL socket for each reader; PUSH waits for room."""

    name = "pyzmq, PUSH/PULL"
    sender_type = "PUSH"
    receiver_type = "PULL"

    @property
    def channels(self) -> int:
        return self.readers

    def set_sender(self, zmq: Any, socket: Any) -> None:
        pass
