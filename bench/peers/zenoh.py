"""Zenoh between two peers over a Unix socket, its messages in the socket or in shared memory.

The publisher blocks on congestion, the subscriber's channel blocks when it is full. `many` lets zenoh put
messages together, as it does by default; `one` goes by a publisher that is declared `express`, so that it
does not wait for others.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.peers.peer import Peer, Sender

KEY = "race"
SEGMENTS = Path("/dev/shm")


class Zenoh(Peer):
    """Without shared memory."""

    name = "zenoh"
    library = "eclipse-zenoh"
    needs = ("zenoh",)
    waits = "sleeps"
    shared = False

    @contextlib.contextmanager
    def session(self, role: str) -> Iterator[tuple[Any, Any]]:
        import zenoh

        config = zenoh.Config()
        settings = {
            "mode": "peer",
            "scouting/multicast/enabled": False,
            "scouting/gossip/enabled": False,
            "transport/shared_memory/enabled": self.shared,
            "listen/endpoints": [],
            "connect/endpoints": [],
            f"{role}/endpoints": [f"unixsock-stream/{self.folder}/zenoh"],
        }
        for path, value in settings.items():
            config.insert_json5(path, json.dumps(value))
        with zenoh.open(config) as session:
            yield zenoh, session

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        with self.session("listen") as (zenoh, session):
            put, put_now = (
                session.declare_publisher(
                    KEY,
                    congestion_control=zenoh.CongestionControl.BLOCK,
                    reliability=zenoh.Reliability.RELIABLE,
                    express=express,
                ).put
                for express in (False, True)
            )
            wrap = self.wrapper(zenoh)

            def many(messages: Sequence[bytes], count: int) -> None:
                for message in itertools.islice(itertools.cycle(messages), count):
                    put(wrap(message))

            yield Sender(lambda message: put_now(wrap(message)), many)

    def wrapper(self, zenoh: Any) -> Callable[[Any], Any]:
        """What makes a payload of a message."""
        return bytes  # gives the same object if it is bytes

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        with self.session("connect") as (zenoh, session):
            channel = zenoh.handlers.FifoChannel(max(1, self.room // max(self.size, 1)))
            take = session.declare_subscriber(KEY, channel).recv

            def what_comes() -> Iterator[Any]:
                while True:
                    yield take().payload.to_bytes()

            yield what_comes()


class ZenohShared(Zenoh):
    """Payloads allocated in zenoh's shared memory; an allocation waits until readers give some back."""

    name = "zenoh, shared memory"
    shared = True

    def wrapper(self, zenoh: Any) -> Callable[[Any], Any]:
        from zenoh import shm

        provider = shm.ShmProvider.default_backend(self.room)
        policy = shm.BlockOn(shm.GarbageCollect())

        def wrap(message: Any) -> Any:
            buffer = provider.alloc(len(message), policy)
            buffer[:] = message
            return buffer

        return wrap

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """At the end, remove the segments that came meanwhile and whose owner is gone.

        Zenoh itself removes what others have left, but not before its next start.
        """
        before = set(SEGMENTS.glob("*.zenoh"))
        try:
            yield
        finally:
            for path in set(SEGMENTS.glob("*.zenoh")) - before:
                remove_orphan(path)


def remove_orphan(path: Path) -> None:
    """Who uses a segment holds a lock on its file."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        path.unlink()
