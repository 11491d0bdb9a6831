"""Both sides of a transport within a test: messages, opened outlets and inlets, and a server's own view."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import nats
import pytest
from nats.js import JetStreamContext
from processes import GENEROUS

from ringlog.bridge.errors import BridgeError, Interrupted
from ringlog.bridge.message import Header, Message, Stream
from ringlog.bridge.nats import Nats
from ringlog.bridge.nats.inlet import NatsInlet
from ringlog.bridge.nats.outlet import NatsOutlet

T = TypeVar("T")
STREAM = Stream("ab" * 16, 1_700_000_000_000_000_000)
OTHER = Stream("cd" * 16, 1_800_000_000_000_000_000)
TARGET = "0123456789abcdef" * 2
EACH = 10  # events of a message
SECRET = "s3cret-word"
USERS = f'authorization {{ users: [{{ user: "one", password: "{SECRET}/@:" }}] }}'
IN_URL = "s3cret-word%2F%40%3A"
_subjects = itertools.count()


def new_subject() -> str:
    """One that no test used before."""
    return f"test.s{next(_subjects)}"


def message(sequence: int, size: int = 100, stream: Stream = STREAM, count: int = EACH) -> Message:
    header = Header(stream, sequence, count, stream.start + sequence + 1)
    return Message(header, bytes([sequence % 251]) * size)


def messages(count: int, size: int = 100, stream: Stream = STREAM) -> list[Message]:
    return [message(EACH * index, size, stream) for index in range(count)]


def run(work: Awaitable[T]) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(work, 2 * GENEROUS)

    return asyncio.run(bounded())


@contextlib.asynccontextmanager
async def outlet(nats: Nats, notices: list[str] | None = None) -> AsyncIterator[NatsOutlet]:
    """One that is open and ready to send."""
    one = nats.outlet()
    try:
        await one.open((notices if notices is not None else []).append)
        await one.resume()
        yield one
    finally:
        await one.close()


@contextlib.asynccontextmanager
async def inlet(
    nats: Nats, start: int | None = 0, notices: list[str] | None = None
) -> AsyncIterator[NatsInlet]:
    """One that is open, and that sought `start`."""
    one = nats.inlet(TARGET)
    try:
        await one.open((notices if notices is not None else []).append)
        if start is not None:
            await one.seek(start)
        yield one
    finally:
        await one.close()


async def send_all(to: NatsOutlet, what: list[Message]) -> None:
    await asyncio.gather(*[await to.send(one) for one in what])


async def take(of: NatsInlet, count: int) -> list[Message]:
    """The next messages, acknowledged."""
    taken = []
    while len(taken) < count:
        delivery = await of.receive(GENEROUS)
        assert delivery is not None, f"{len(taken)} of {count} came"
        await delivery.done()
        taken.append(Message(delivery.header, delivery.data))
    return taken


async def first_at(of: NatsInlet, sequence: int) -> int | None:
    """The sequence of the first message after a seek; None: there is none yet."""
    await of.seek(sequence)
    delivery = await of.receive(0.15)
    return None if delivery is None else delivery.header.sequence


async def take_again(of: NatsInlet, start: int, last: int) -> list[Message]:
    """As a pull does: seeks again after each loss, up to the message with event `last`."""
    taken: list[Message] = []
    while not taken or taken[-1].header.next <= last:
        try:
            delivery = await of.receive(GENEROUS)
            assert delivery is not None
        except Interrupted:
            with contextlib.suppress(Interrupted):
                await of.seek(taken[-1].header.next if taken else start)
            continue
        if not taken or delivery.header.sequence >= taken[-1].header.next:
            taken.append(Message(delivery.header, delivery.data))
        await delivery.done()
    return taken


async def send_again(to: NatsOutlet, what: list[Message]) -> None:
    """As a push does: goes on after each loss from what is kept, until all is kept."""
    while True:
        try:
            kept = await to.resume()
            rest = [one for one in what if kept is None or one.header.sequence >= kept.next]
            futures = [await to.send(one) for one in rest]
            await asyncio.gather(*futures)
            return
        except Interrupted:
            continue


async def until(condition: Callable[[], Any]) -> None:
    """`eventually`, for a test that is a coroutine."""
    deadline = asyncio.get_running_loop().time() + GENEROUS
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {GENEROUS} s"
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    """The server's own view, by the client itself."""
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def kept(url: str, subject: str) -> list[int]:
    """The sequences of the messages that the server keeps."""
    async with jetstream(url) as js:
        name = await js.find_stream_name_by_subject(subject)
        found = []
        number = 1
        while True:
            try:
                one = await js.get_msg(name, seq=number, subject=subject, next=True)
            except nats.js.errors.NotFoundError:
                return found
            found.append(Header.of(one.headers).sequence)
            number = (one.seq or 0) + 1


def crosses(nats: Nats) -> None:
    """A small message and a large one go there and come back."""
    both = [message(0), message(EACH, 1 << 19)]

    async def work() -> None:
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, both)
            assert await take(into, 2) == both

    run(work())


def refusal(nats: Nats) -> BridgeError:
    """What opening it raises, which is short and tells no secret."""

    async def work() -> None:
        out = nats.outlet()
        try:
            await out.open(print)
        finally:
            await out.close()

    with pytest.raises(BridgeError) as caught:
        run(work())
    assert SECRET not in f"{caught.value!r} {nats!r} {nats.address} {nats.settings!r}"
    assert "\n" not in str(caught.value)
    return caught.value
