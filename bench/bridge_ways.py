"""The ways from a sender to a receiver over a nats-server: by rings, and by nats-py alone.

Each has a sending and a receiving end, which live in processes of their own, and perhaps processes between
them. `many` sends a list of events and is held up when the receiver is behind, so that none is dropped;
`soon` sends what is due now, so that it is under way at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any, Literal

import ringlog
from bench.bridge_bed import ALL, SUBJECT, Bed, add_stream, connection
from bench.bridge_events import TOGETHER, Receiver
from ringlog import bridge

RING = 64 << 20
KEPT = 16 << 30  # bytes: more than any run sends
AHEAD = 20 * TOGETHER  # events of plain nats-py between sender and receiver
CREDIT = "bench.credit"


@dataclass(frozen=True)
class Sender:
    many: Callable[[Sequence[bytes]], object]
    soon: Callable[[Sequence[bytes]], object]
    close: Callable[[], object] = lambda: None  # nothing more will come


class Way:
    name: str
    key: str
    cores: int | None = ALL  # of the server
    between: Mapping[str, Callable[[Bed, Connection], None]] = MappingProxyType(
        {}
    )  # processes, each by what it does

    def prepare(self, bed: Bed) -> None:
        """What has to be there before anybody starts."""

    def sending(self, bed: Bed) -> contextlib.AbstractContextManager[Sender]:
        raise NotImplementedError

    def receive(self, bed: Bed, seen: Receiver, singly: bool, attached: Callable[[], object]) -> None:
        """Give everything to `seen` until it has seen all. singly: each event as soon as it is there."""
        raise NotImplementedError


# ---- rings ----


Storage = Literal["file", "memory"]


def _transport(bed: Bed, storage: Storage) -> bridge.Nats:
    return bridge.Nats(SUBJECT, bed.url, keep_bytes=KEPT, storage=storage)


def push(bed: Bed, control: Connection, storage: Storage = "file") -> None:
    control.send(os.getpid())
    control.send(dataclasses.asdict(bridge.push(bed.source, _transport(bed, storage))))


def pull(bed: Bed, control: Connection, storage: Storage = "file") -> None:
    control.send(os.getpid())
    control.send(dataclasses.asdict(bridge.pull(bed.copy, _transport(bed, storage))))


class Rings(Way):
    name = "ring, push, JetStream, pull, ring"
    key = "rings"
    cores = None  # as `Server` has it, for those who work beside it
    between: Mapping[str, Callable[[Bed, Connection], None]] = MappingProxyType({"push": push, "pull": pull})

    def __init__(self, capacity: int = RING) -> None:
        self.capacity = capacity

    def prepare(self, bed: Bed) -> None:
        ringlog.create(bed.source, self.capacity)

    @contextlib.contextmanager
    def sending(self, bed: Bed) -> Iterator[Sender]:
        with ringlog.Writer(bed.source) as writer:

            def singly(events: Sequence[bytes]) -> None:
                for event in events:
                    writer.append(event)

            yield Sender(writer.append_many, singly, writer.end)

    def receive(self, bed: Bed, seen: Receiver, singly: bool, attached: Callable[[], object]) -> None:
        attached()  # the copy is made when the first event comes
        with ringlog.Reader(bed.copy, start="oldest", lossless=True, open_timeout=60) as reader:
            while not seen.done:
                if singly:
                    seen.one(reader.read().data)
                else:
                    seen.columns(reader.read_batch(timeout=None))


class RingsByMemory(Rings):
    """Their server keeps messages in memory: for a comparison with what keeps nothing."""

    name = "the same, JetStream in memory"
    key = "rings by memory"
    between = MappingProxyType(
        {"push": partial(push, storage="memory"), "pull": partial(pull, storage="memory")}
    )


# ---- nats-py ----


class Plain(Way):
    """publish() and subscribe() with a callback. The receiver tells each thousand events how far it is."""

    name = "nats-py, publish and subscribe"
    key = "plain"

    @contextlib.contextmanager
    def sending(self, bed: Bed) -> Iterator[Sender]:
        loop = asyncio.new_event_loop()
        run = loop.run_until_complete
        client = run(connection(bed))
        sent = allowed = 0
        more = asyncio.Event()

        async def credit(message: Any) -> None:
            nonlocal allowed
            allowed = int(message.data)
            more.set()

        async def many(events: Sequence[bytes]) -> None:
            nonlocal sent
            for event in events:
                await client.publish(SUBJECT, event)
            await client.flush()
            sent += len(events)
            while sent - allowed > AHEAD:
                more.clear()
                await asyncio.wait_for(more.wait(), 30)

        run(client.subscribe(CREDIT, cb=credit))
        run(client.flush())
        try:
            yield Sender(lambda events: run(many(events)), lambda events: run(_soon(client.publish, events)))
        finally:
            run(client.close())
            loop.close()

    def receive(self, bed: Bed, seen: Receiver, singly: bool, attached: Callable[[], object]) -> None:
        async def main() -> None:
            client = await connection(bed)
            counted = itertools.count(1)

            async def give_credit() -> None:
                if not (number := next(counted)) % TOGETHER:
                    await client.publish(CREDIT, b"%d" % number)

            async with _taking(seen, give_credit) as take:
                await client.subscribe(SUBJECT, cb=take)
                await client.flush()
                attached()
            await client.close()

        asyncio.run(main())


class JetStream(Way):
    """publish_async(), of which 4,000 may be without their acknowledgement, to an ordered consumer."""

    name = "nats-py, JetStream: publish_async and an ordered consumer"
    key = "jetstream"

    def prepare(self, bed: Bed) -> None:
        add_stream(bed)

    @contextlib.contextmanager
    def sending(self, bed: Bed) -> Iterator[Sender]:
        loop = asyncio.new_event_loop()
        run = loop.run_until_complete
        client = run(connection(bed))
        stream = client.jetstream()

        async def many(events: Sequence[bytes]) -> None:
            kept = [await stream.publish_async(SUBJECT, event) for event in events]
            waiting.extend(kept)
            for future in waiting[: -4 * TOGETHER]:
                await future  # raises what the server has against it
            del waiting[: -4 * TOGETHER]

        async def close() -> None:
            await asyncio.gather(*waiting)

        waiting: list[asyncio.Future[Any]] = []
        try:
            yield Sender(
                lambda events: run(many(events)),
                lambda events: run(_soon(stream.publish_async, events)),
                lambda: run(close()),
            )
        finally:
            run(client.close())
            loop.close()

    def receive(self, bed: Bed, seen: Receiver, singly: bool, attached: Callable[[], object]) -> None:
        async def main() -> None:
            client = await connection(bed)

            async def nothing() -> None: ...

            async with _taking(seen, nothing) as take:
                await client.jetstream().subscribe(SUBJECT, cb=take, ordered_consumer=True)
                await client.flush()
                attached()
            await client.close()

        asyncio.run(main())


async def _soon(publish: Callable[..., Any], events: Sequence[bytes]) -> None:
    """The client writes to its socket in a task of its own, which gets its turn here."""
    for event in events:
        await publish(SUBJECT, event)
    for _ in range(3):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def _taking(seen: Receiver, behind: Callable[[], Any]) -> Any:
    """A callback for a subscription; the block is left when all has come, or something wrong."""
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(message: Any) -> None:
        if finished.done():
            return
        try:
            seen.one(message.data)
            await behind()
        except Exception as error:
            finished.set_exception(error)
        else:
            if seen.done:
                finished.set_result(None)

    yield take
    await finished


WAYS: tuple[type[Way], ...] = (Rings, RingsByMemory, Plain, JetStream)
