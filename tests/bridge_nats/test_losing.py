"""Servers that are killed, stopped, stalled or cut off: both sides notice, and go on from what is kept."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time

import pytest
from proxy import Proxy
from sides import (
    inlet,
    kept,
    message,
    messages,
    new_subject,
    outlet,
    run,
    send_again,
    send_all,
    take,
    take_again,
    until,
)

from ringlog.bridge.errors import Interrupted, NotAuthorized
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server

USERS = 'authorization {{ users: [{{ user: "one", password: "{}" }}] }}'


def test_a_server_that_is_killed_and_started_again(own_server: Server) -> None:
    async def work() -> None:
        subject = new_subject()
        nats = Nats(subject, own_server.url)
        notices: list[str] = []
        async with outlet(nats, notices) as out, inlet(nats, notices=notices) as into:
            await send_all(out, messages(10))
            assert await take(into, 10) == messages(10)
            own_server.kill()
            await until(lambda: not out.connected and not into.connected)
            with pytest.raises(Interrupted):
                await out.send(message(100))
            with pytest.raises(Interrupted):
                await into.receive(20)
            resuming = asyncio.ensure_future(out.resume())
            seeking = asyncio.ensure_future(into.seek(100))
            own_server.start()
            assert await resuming == message(90).header
            await seeking
            await send_all(out, messages(20)[10:])
            assert await take(into, 10) == messages(20)[10:]
            assert (out.reconnects, into.reconnects) == (1, 1)
            assert sum("disconnected" in one for one in notices) == 2
            assert sum("connected again" in one for one in notices) == 2
        assert await kept(own_server.url, subject) == list(range(0, 200, 10))

    run(work())


def test_killed_while_messages_are_on_their_way(own_server: Server) -> None:
    """Whatever the server had kept of them: at the end all are there once, in order, on both sides."""

    async def work() -> None:
        subject = new_subject()
        nats = Nats(subject, own_server.url)
        sent = messages(300, size=20_000)
        async with outlet(nats) as out, inlet(nats) as into:
            sending = asyncio.ensure_future(send_again(out, sent))
            taking = asyncio.ensure_future(take_again(into, 0, sent[-1].header.sequence))
            for _ in range(3):
                behind = out._number + 20
                await until(lambda behind=behind: out._number >= behind or sending.done())
                own_server.kill()
                own_server.start()
            await sending
            assert await taking == sent
        assert await kept(own_server.url, subject) == [one.header.sequence for one in sent]

    run(work())


def test_a_link_that_is_cut(server: Server, proxy: Proxy) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), proxy.url)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(3))
            await take(into, 3)
            proxy.cut()
            await until(lambda: not out.connected and not into.connected)
            proxy.resume()
            await send_again(out, messages(6))
            assert await take_again(into, 30, 50) == messages(6)[3:]

    run(work())


def test_attempts_that_fail_leave_nothing_open(server: Server, proxy: Proxy) -> None:
    """Python says so of each link that is left to it: as a warning, which fails this test."""

    async def work() -> None:
        async with outlet(Nats(new_subject(), proxy.url)) as out:
            (tried,) = out._connection.client._server_pool
            proxy.cut()  # it accepts, and closes at once
            await until(lambda: tried.reconnects >= 3)
            gc.collect()
            proxy.resume()
            await out.resume()

    run(work())
    gc.collect()


def test_a_link_that_stalls(server: Server, proxy: Proxy) -> None:
    """No error tells of it, and more is written to it than the kernel holds: silence is all there is."""

    async def work() -> None:
        subject = new_subject()
        nats = Nats(subject, proxy.url, ack_timeout=0.6, in_flight=64, message_bytes=1 << 19)
        sent = messages(40, size=1 << 19)
        async with outlet(nats) as out, inlet(nats, start=None) as into:
            await send_all(out, sent[:2])
            proxy.stall()
            futures = [await out.send(one) for one in sent[2:]]
            results = await asyncio.gather(*futures, return_exceptions=True)
            assert all(isinstance(one, Interrupted) for one in results)
            await until(lambda: not out.connected and not into.connected)
            proxy.resume()
            await send_again(out, sent)
            assert await take_again(into, 0, 390) == sent
        assert await kept(server.url, subject) == [one.header.sequence for one in sent]

    run(work())


def test_a_server_that_is_stopped(own_server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), own_server.url, ack_timeout=0.5)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(2))
            await take(into, 2)
            assert own_server.pid is not None
            os.kill(own_server.pid, signal.SIGSTOP)
            with pytest.raises(Interrupted):
                await into.receive(20)
            with pytest.raises(Interrupted):
                await (await out.send(message(20)))
            os.kill(own_server.pid, signal.SIGCONT)
            await send_again(out, messages(5))
            assert await take_again(into, 20, 40) == messages(5)[2:]

    run(work())


def test_a_quiet_link_is_kept(server: Server) -> None:
    """Nothing to send and nothing to receive is no loss."""

    async def work() -> None:
        nats = Nats(new_subject(), server.url, ack_timeout=0.2)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(1))
            await take(into, 1)
            assert await into.receive(0.7) is None
            await send_all(out, [message(10)])
            assert (out.reconnects, into.reconnects) == (0, 0)

    run(work())


def test_waiting_for_a_server_can_be_cancelled(own_server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), own_server.url)
        async with outlet(nats) as out, inlet(nats) as into:
            own_server.kill()
            await until(lambda: not out.connected and not into.connected)
            for waiting in (out.resume(), into.seek(0), into.ends()):
                task = asyncio.ensure_future(waiting)
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(work())


def test_closing_does_not_wait_for_a_dead_link(server: Server, proxy: Proxy) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), proxy.url, message_bytes=1 << 19, in_flight=16)
        async with outlet(nats) as out, inlet(nats):
            proxy.stall()  # more is on its way than the kernel holds: a quarter of an hour, if waited for
            for one in messages(16, size=1 << 19):
                await out.send(one)

    run(work())


def test_credentials_that_are_withdrawn() -> None:
    async def work(server: Server) -> None:
        nats = Nats(new_subject(), server.url, user="one", password="first")
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(2))
            await take(into, 2)
            server.kill()
            server._config = USERS.format("second")
            server.start()
            with pytest.raises(NotAuthorized, match="refuses these credentials"):
                await out.resume()
            with pytest.raises(NotAuthorized) as caught:
                await into.seek(0)
            assert "first" not in str(caught.value)
            with pytest.raises(NotAuthorized):
                await out.send(message(20))

    with Server(config=USERS.format("first")) as server:
        run(work(server))


def test_a_server_that_shows_us_the_door(server: Server, proxy: Proxy) -> None:
    """The client gives up for ever after such an error; we do not."""

    async def work() -> None:
        nats = Nats(new_subject(), proxy.url)
        notices: list[str] = []
        async with outlet(nats, notices) as out, inlet(nats, notices=notices) as into:
            await send_all(out, messages(2))
            await take(into, 2)
            proxy.say(b"-ERR 'Something Odd'\r\n")
            await until(lambda: out.reconnects == 1 and into.reconnects == 1)
            assert any("something odd" in one for one in notices)
            await send_again(out, messages(4))
            assert await take_again(into, 20, 30) == messages(4)[2:]
            proxy.say(b"-ERR 'User Authentication Expired'\r\n")
            for refused in (out.resume, lambda: into.receive(20)):
                with pytest.raises(NotAuthorized, match="expired"):
                    await refused()

    run(work())


def test_a_program_that_did_not_get_on(server: Server) -> None:
    """Answers that came while nobody looked are no silence of the server."""

    async def work() -> None:
        nats = Nats(new_subject(), server.url, ack_timeout=0.3)
        async with outlet(nats) as out, inlet(nats) as into:
            for number in range(2):
                futures = [await out.send(one) for one in messages(2 * number + 2)[2 * number :]]
                time.sleep(0.5)  # of all that runs in this loop
                await asyncio.gather(*futures)
                await take(into, 2)
            assert (out.reconnects, into.reconnects) == (0, 0)

    run(work())
