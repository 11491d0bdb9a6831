"""Order and chain: whatever becomes of a message, nothing behind it is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from nats.aio.msg import Msg
from sides import (
    EACH,
    STREAM,
    jetstream,
    kept,
    message,
    messages,
    new_subject,
    outlet,
    run,
    send_again,
    send_all,
    until,
)

from ringlog.bridge.errors import BadMessage, Full, Interrupted, MessageTooLarge
from ringlog.bridge.message import Header, Message
from ringlog.bridge.nats import Nats
from ringlog.bridge.nats.post import publish
from ringlog.bridge.server import Server


def test_all_are_kept_in_order(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out:
            await send_all(out, messages(100))
            assert (await out.resume()) == message(990).header
        assert await kept(server.url, subject) == list(range(0, 1000, EACH))

    run(work())


def test_nothing_behind_a_lost_message_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = new_subject()
    lost = 5

    async def lossy(*arguments: Any) -> None:
        nonlocal lost
        lost -= 1
        if lost != 2:
            await publish(*arguments)

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out:
            await send_all(out, messages(3))
            monkeypatch.setattr("ringlog.bridge.nats.outlet.publish", lossy)
            futures = [await out.send(one) for one in messages(8)[3:]]
            results = await asyncio.gather(*futures, return_exceptions=True)
            assert results[:2] == [None, None]
            assert all(isinstance(one, Interrupted) for one in results[2:])
            # To us it is the same as one that the server could not write, since its disk was full.
            assert "full disk" in str(results[2])
            with pytest.raises(Interrupted):
                await out.send(message(50))
            assert (await out.resume()) == message(40).header
            assert await kept(server.url, subject) == [0, 10, 20, 30, 40]
            await send_all(out, messages(8)[5:])
        assert await kept(server.url, subject) == list(range(0, 80, EACH))

    run(work())


def test_what_is_kept_already_is_not_kept_twice(server: Server) -> None:
    """A message that was on its way when somebody asked what is kept, and is sent once more; or by a client
    that knows of no chain: then the message id tells."""
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as first, outlet(nats) as second, jetstream(server.url) as js:
            await send_all(first, messages(1))
            with pytest.raises(Interrupted, match="10071"):
                await send_all(second, messages(3))
            await send_again(second, messages(3))
            header = message(20).header
            ack = await js.publish(subject, b"", headers={**header.as_headers(), "Nats-Msg-Id": header.id})
            assert ack.duplicate
        assert await kept(server.url, subject) == [0, 10, 20]

    run(work())


def test_two_that_send_can_not_mix(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as first, outlet(nats) as second:
            await send_all(first, messages(2))
            # Were it for numbers alone, the second of these would fit behind the first of those.
            ours = [message(7 * index, count=7) for index in range(5)]
            futures = [await second.send(one) for one in ours]
            results = await asyncio.gather(*futures, return_exceptions=True)
            assert all(isinstance(one, Interrupted) for one in results)
            assert "somebody else write" in str(results[0])
            assert (await second.resume()) == message(10).header
            await send_all(second, messages(3)[2:])
            with pytest.raises(Interrupted):
                await send_all(first, [message(20, count=3), message(23)])
        assert await kept(server.url, subject) == [0, 10, 20]

    run(work())


def test_known_to_the_window_but_deleted_is_sent_once_more(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out, jetstream(server.url) as js:
            await send_all(out, messages(5))
            await js.purge_stream(subject.replace(".", "_"))
            assert await out.resume() is None
            with pytest.raises(Interrupted):
                await send_all(out, messages(5))
            assert await out.resume() is None
            await send_all(out, messages(5))
        assert await kept(server.url, subject) == [0, 10, 20, 30, 40]

    run(work())


def test_an_id_that_is_on_its_way(server: Server) -> None:
    """A new leader of a cluster may hold an id against us that will never be kept: we go on under another."""

    async def work() -> None:
        subject = new_subject()
        async with outlet(Nats(subject, server.url)) as out, jetstream(server.url) as js:
            future = await out.send(message(0))
            said = {"code": 409, "err_code": 10158, "description": "duplicate message id is in process"}
            answer = json.dumps({"error": said, "stream": out._stream, "seq": 0}).encode()
            await out._on_answer(Msg(out._connection.client, f"{out._inbox}.1", "", answer, None))
            with pytest.raises(Interrupted, match="in process"):
                await future
            await out.resume()
            await js.purge_stream(out._stream)  # as if it had never come
            await out.resume()
            await send_all(out, [message(0)])
        assert await kept(server.url, subject) == [0]

    run(work())


@pytest.mark.parametrize("said", [b"[]", b"{}", b"7", b'{"error": 1}', b'{"seq": null}', b"\xff"])
def test_answers_that_are_none(server: Server, said: bytes) -> None:
    async def work() -> None:
        subject = new_subject()
        async with outlet(Nats(subject, server.url)) as out:
            future = await out.send(message(0))
            await out._on_answer(Msg(out._connection.client, f"{out._inbox}.1", "", said, None))
            with pytest.raises(Interrupted):
                await future

    run(work())


def test_the_newest_deleted(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out, jetstream(server.url) as js:
            await send_all(out, messages(5))
            await js.delete_msg(subject.replace(".", "_"), 5)
            assert await out.resume() == message(30).header
            await send_all(out, [message(40, count=3), message(43)])
        assert await kept(server.url, subject) == [0, 10, 20, 30, 40, 43]

    run(work())


def test_a_stream_that_others_use_too(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with jetstream(server.url) as js:
            await js.add_stream(name="shared", subjects=[subject, "shared.>"])
            async with outlet(Nats(subject, server.url)) as out:
                for number in range(3):
                    await js.publish("shared.other", b"between")
                    await send_all(out, messages(12)[4 * number : 4 * number + 4])
                assert await out.resume() == message(110).header
        assert await kept(server.url, subject) == list(range(0, 120, EACH))

    run(work())


def test_full_and_then_room(server: Server) -> None:
    """A stream that refuses rather than forgets; a push waits, and nothing gets lost or mixed up."""
    subject = new_subject()

    async def work() -> None:
        async with jetstream(server.url) as js:
            await js.add_stream(name="small", subjects=[subject], max_msgs=5, discard="new")
            async with outlet(Nats(subject, server.url)) as out:
                futures = [await out.send(one) for one in messages(8)]
                results = await asyncio.gather(*futures, return_exceptions=True)
                assert results[:5] == [None] * 5
                assert all(isinstance(one, Full) for one in results[5:])
                assert await out.resume() == message(40).header
                await js.purge_stream("small", keep=1)
                await send_all(out, messages(8)[5:])
        assert await kept(server.url, subject) == [40, 50, 60, 70]

    run(work())


def test_for_those_who_want_them(server: Server) -> None:
    """retention="interest": nothing is sent while nobody would get it; no room for more is Full."""
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url, retention="interest", keep_bytes=20_000)
        async with outlet(nats) as out, jetstream(server.url) as js:
            with pytest.raises(Full, match="no pull has asked"):
                await out.send(message(0))
            name = subject.replace(".", "_")
            inbox = "deliver.interest"
            await js.add_consumer(name, durable_name="one", deliver_subject=inbox, ack_policy="explicit")
            assert await out.resume() is None
            futures = [await out.send(one) for one in messages(8, size=5000)]
            results = await asyncio.gather(*futures, return_exceptions=True)
            assert results[:3] == [None] * 3
            assert isinstance(results[7], Full)
            assert "maximum bytes" in str(results[7])

    run(work())


def test_larger_than_the_server_takes(server: Server) -> None:
    async def work() -> None:
        async with outlet(Nats(new_subject(), server.url, message_bytes=8 << 20)) as out:
            assert out.limit <= 1 << 20
            await send_all(out, [message(0, size=out.limit)])
            with pytest.raises(MessageTooLarge):
                await out.send(message(10, size=out.limit + 1))
            await send_all(out, [message(10)])
        async with outlet(Nats(new_subject(), server.url, message_bytes=5000)) as out:
            assert out.limit == 5000

    run(work())


def test_no_more_on_its_way_than_told(server: Server) -> None:
    async def work() -> None:
        async with outlet(Nats(new_subject(), server.url, in_flight=3)) as out:
            for one in messages(50):
                await out.send(one)
                assert len(out._waiting) <= 3

    run(work())


def test_an_outlet_that_is_closed_lets_nobody_wait(server: Server) -> None:
    async def work() -> None:
        async with outlet(Nats(new_subject(), server.url)) as out:
            future = await out.send(message(0))
        await until(future.done)
        with pytest.raises(Interrupted):
            await out.send(message(10))

    run(work())


def test_the_end_of_a_stream(server: Server) -> None:
    async def work() -> None:
        async with outlet(Nats(new_subject(), server.url)) as out:
            end = Header(STREAM, 10, 0, STREAM.start, ended=True)
            await send_all(out, [message(0), Message(end, b"")])
            assert await out.resume() == end

    run(work())


def test_a_stranger_on_the_subject(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out, jetstream(server.url) as js:
            await js.publish(subject, b"hello")
            with pytest.raises(BadMessage, match=f"{subject}, stream sequence 1"):
                await out.resume()

    run(work())
