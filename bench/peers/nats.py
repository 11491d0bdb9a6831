"""NATS core over loopback TCP, by nats-py: at most once, so a reader that falls far behind may lose.

The server slows a sender down when a reader's queue is three quarters full, and cuts the reader off when it
is full. That queue keeps its default of 64 MiB: in short trials at 1 MiB the room of the others lost more.
The client's buffer is 64 KiB, which took the sender less time than its default of 2 MiB; with uvloop the
rates were the same within their noise.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from bench.peers import server
from bench.peers.peer import Peer, Sender

SUBJECT = "race"


async def unheard(error: Exception) -> None:
    """A reader that was cut off comes back by itself, and what it lost is counted."""


class Nats(Peer):
    name = "NATS core"
    library = "nats-py"
    needs = ("nats",)
    lossless = False
    waits = "sleeps"

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        program = server.find("nats-server")
        self.handles = server.free_port()
        settings = {
            "host": "127.0.0.1",
            "port": self.handles,
            "max_payload": self.size + 1024,
        }
        path = self.folder / "nats.conf"
        path.write_text(json.dumps(settings))
        with server.running([program, "-c", str(path)], self.answers, self.folder / "nats.log"):
            yield

    def answers(self) -> None:
        with socket.create_connection(("127.0.0.1", self.handles), 1):
            pass

    @contextlib.contextmanager
    def connected(self) -> Iterator[tuple[asyncio.AbstractEventLoop, Any]]:
        import nats

        loop = asyncio.new_event_loop()
        connect = nats.connect(
            f"nats://127.0.0.1:{self.handles}",
            pending_size=64 << 10,
            reconnect_time_wait=0.01,
            error_cb=unheard,
        )
        client = loop.run_until_complete(connect)
        try:
            yield loop, client
        finally:
            loop.run_until_complete(client.close())
            loop.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        with self.connected() as (loop, client):

            async def send(source: Iterator[Any]) -> None:
                """A publish leaves the message in the client's buffer; after a flush the server has it."""
                publish = client.publish
                for message in source:
                    await publish(SUBJECT, message)
                await client.flush()

            def many(messages: Sequence[bytes], count: int) -> None:
                loop.run_until_complete(send(itertools.islice(itertools.cycle(messages), count)))

            yield Sender(lambda message: loop.run_until_complete(send(iter((message,)))), many)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        with self.connected() as (loop, client):
            come: list[bytes] = []
            waiting = False

            async def take(message: Any) -> None:
                nonlocal waiting
                come.append(message.data)
                if waiting:
                    waiting = False
                    loop.stop()  # at the end of this turn of the loop, in which all that is there is taken

            loop.run_until_complete(client.subscribe(SUBJECT, cb=take))
            loop.run_until_complete(client.flush())

            def what_comes() -> Iterator[Any]:
                nonlocal waiting
                while True:
                    yield from come
                    come.clear()
                    waiting = True
                    loop.run_forever()

            yield what_comes()
