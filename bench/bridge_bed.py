"""Where one run takes place: a nats-server of its own with JetStream on a disk, and a folder for rings."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ringlog
from ringlog.bridge import Server

SUBJECT = "bench.events"
STREAM = "bench"
PATIENCE = 20.0
ALL = len(os.sched_getaffinity(0))  # cores, which a nats-server takes if nobody says otherwise


@dataclass(frozen=True)
class Bed:
    """`rings`: where the rings are; `server`: the process id of the nats-server."""

    rings: Path
    port: int
    server: int

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def source(self) -> str:
        return f"{self.rings}/source.ring"

    @property
    def copy(self) -> str:
        return f"{self.rings}/copy.ring"


def rings_folder() -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else None


@contextlib.contextmanager
def bed(where: Path, cores: int | None = None) -> Iterator[Bed]:
    """A server with its defaults: messages of 1 MiB at most, synced every two minutes. cores: see Server."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where, prefix="bridge-")))
        rings = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=rings_folder(), prefix="bridge-")))
        server = stack.enter_context(Server(folder, cores=cores))
        assert server.pid is not None
        try:
            yield Bed(rings, server.port, server.pid)
        finally:
            for ring in rings.glob("*.ring"):
                ringlog.unlink(ring)  # with what else it has on this machine


def add_stream(of: Bed) -> None:
    """The JetStream stream for those who don't make one themselves: files, one copy, no limits."""
    import nats

    async def add() -> None:
        client = await nats.connect(of.url)
        await client.jetstream().add_stream(name=STREAM, subjects=[SUBJECT])
        await client.close()

    asyncio.run(asyncio.wait_for(add(), PATIENCE))


def add_consumer(of: Bed, subject: str) -> None:
    """A consumer that delivers to a subject, each message once, and wants no acknowledgement."""
    import nats
    from nats.js.api import AckPolicy, ConsumerConfig

    async def add() -> None:
        client = await nats.connect(of.url)
        config = ConsumerConfig(durable_name="raw", deliver_subject=subject, ack_policy=AckPolicy.NONE)
        await client.jetstream().add_consumer(STREAM, config)
        await client.close()

    asyncio.run(asyncio.wait_for(add(), PATIENCE))


async def quiet(_error: Exception) -> None:
    """What is lost on the way is found by counting."""


def connection(of: Bed) -> Any:
    """A nats-py client, to be awaited. Its buffer is small: in the race of the peers that was the fastest."""
    import nats

    return nats.connect(of.url, pending_size=64 << 10, allow_reconnect=False, error_cb=quiet)
