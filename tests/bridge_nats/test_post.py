"""Messages that are written past the client's own publishing arrive as if it had published them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from sides import new_subject, run

from ringlog.bridge.nats.link import Movement, wire_of
from ringlog.bridge.nats.post import ENDS, publish
from ringlog.bridge.server import Server

SIZES = [0, 1, ENDS, 2 * ENDS - 1, 2 * ENDS, 2 * ENDS + 1, 2 * ENDS + 2, 1 << 19, 3, 1_000_000, 5]
HEADERS = {"One": "1", "Another-One": "words, and: colons"}


@contextlib.asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[Client]:
    client = await nats.connect(url, **options)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("short_way", [True, False])
def test_any_size_arrives_as_it_was(server: Server, monkeypatch: pytest.MonkeyPatch, short_way: bool) -> None:
    """short_way: False: over a transport that has frames of its own."""
    if not short_way:
        monkeypatch.setattr("ringlog.bridge.nats.post.TcpTransport", type("Other", (), {}))

    async def work() -> None:
        subject = new_subject()
        sent = [os.urandom(size) for size in SIZES]
        async with client_of(server.url) as to, client_of(server.url) as of:
            came = await of.subscribe(subject)
            await of.flush()
            for data in sent:
                await publish(to, subject, data, "an.answer", HEADERS)
            for data in sent:
                message = await came.next_msg(10)
                assert (message.data, message.reply, message.headers) == (data, "an.answer", HEADERS)

    run(work())


@pytest.mark.parametrize("size", [10, 1 << 19])
def test_it_comes_behind_what_the_client_was_told(server: Server, size: int) -> None:
    """An answer to a message is lost where nobody listens for it yet."""

    async def work() -> None:
        subject = new_subject()
        async with client_of(server.url) as both:
            came = await both.subscribe(subject)
            await both.publish(subject, b"first")
            await publish(both, subject, bytes(size), "an.answer", {})
            await both.publish(subject, b"last")
            assert [len((await came.next_msg(10)).data) for _ in range(3)] == [5, size, 4]

    run(work())


def test_without_a_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept for later: who sends asks first how far the other side has got."""

    async def work() -> None:
        subject = new_subject()
        async with client_of(server.url) as both:
            came = await both.subscribe(subject)
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(both, "_status", Client.RECONNECTING)
                with pytest.raises(nats.errors.ConnectionReconnectingError):
                    await publish(both, subject, b"early", "an.answer", {})
            await publish(both, subject, b"late", "an.answer", {})
            assert (await came.next_msg(10)).data == b"late"
            with pytest.raises(asyncio.TimeoutError):
                await came.next_msg(0.1)

    run(work())


def test_over_a_link_that_is_closed(server: Server) -> None:
    """The client learns of it later, and some event loops don't take what is written to one."""

    async def work() -> None:
        async with client_of(server.url, allow_reconnect=False) as to:
            wire = wire_of(to)
            assert wire is not None
            wire.close()
            assert to.is_connected
            with pytest.raises(nats.errors.ConnectionReconnectingError):
                await publish(to, new_subject(), b"late", "an.answer", {})

    run(work())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_movement_of_a_link_that_is_closed(server: Server, loop: str) -> None:
    async def work() -> None:
        async with client_of(server.url, allow_reconnect=False) as client:
            movement = Movement(lambda: client)
            movement.mark()
            wire = wire_of(client)
            assert wire is not None
            wire.abort()
            await asyncio.sleep(0.05)
            assert not movement.has_moved()

    module: Any = pytest.importorskip(loop)
    new_loop = module.new_event_loop()
    try:
        new_loop.run_until_complete(asyncio.wait_for(work(), 20))
    finally:
        new_loop.close()
