"""Streams that are there, that do not do, and the one that push makes."""

from __future__ import annotations

import pytest
from sides import (
    jetstream,
    kept,
    message,
    messages,
    new_subject,
    outlet,
    run,
    send_all,
)

from ringlog.bridge.errors import BadSetup, Interrupted
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"retention": "workqueue"}, "work queue"),
        ({"no_ack": True}, "no_ack"),
        ({"sealed": False, "subjects": ["elsewhere.*"]}, "does not hold this subject"),
        ({"retention": "interest", "subjects": ["kinds.it", "kinds.others"]}, "alone"),
    ],
)
def test_streams_that_do_not_do(server: Server, config: dict[str, object], says: str) -> None:
    async def work() -> None:
        async with jetstream(server.url) as js:
            await js.add_stream(**{"name": "kinds", "subjects": ["kinds.it"], **config})
            try:
                with pytest.raises(BadSetup, match=says):
                    async with outlet(Nats("kinds.it", server.url, stream="kinds")):
                        pass
            finally:
                await js.delete_stream("kinds")

    run(work())


def test_a_mirror_and_a_taken_name(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with jetstream(server.url) as js, outlet(Nats(subject, server.url)):
            await js.add_stream(name="mirror", mirror={"name": subject.replace(".", "_")})
            with pytest.raises(BadSetup, match="mirrors another"):
                async with outlet(Nats(subject, server.url, stream="mirror")):
                    pass
            await js.add_stream(name="other_name", subjects=["quite.different"])
            with pytest.raises(BadSetup, match=r"quite\.different"):
                async with outlet(Nats("other.name", server.url)):
                    pass

    run(work())


def test_the_stream_that_is_made(server: Server) -> None:
    async def work() -> None:
        nats = Nats(
            "made.for.this", server.url, keep_bytes=5 << 20, keep_age=60, storage="memory", message_bytes=1000
        )
        async with outlet(nats), jetstream(server.url) as js:
            config = (await js.stream_info("made_for_this")).config
            assert config.subjects == ["made.for.this"]
            assert (config.max_bytes, config.max_age, config.duplicate_window) == (5 << 20, 60, 60)
            assert (config.storage, config.discard, config.retention) == ("memory", "old", "limits")

    run(work())


def test_no_room_for_a_stream() -> None:
    async def work(url: str) -> None:
        with pytest.raises(BadSetup, match="keep_bytes"):
            async with outlet(Nats("big", url)):
                pass
        async with outlet(Nats("big", url, keep_bytes=1 << 20)):
            pass

    with Server(file_bytes=10 << 20) as small:
        run(work(small.url))


def test_a_stream_that_was_deleted_is_made_again(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        async with outlet(Nats(subject, server.url)) as out, jetstream(server.url) as js:
            await send_all(out, messages(2))
            await js.delete_stream(subject.replace(".", "_"))
            with pytest.raises(Interrupted):
                await (await out.send(message(20)))
            assert await out.resume() is None
            await send_all(out, messages(3))
        assert await kept(server.url, subject) == [0, 10, 20]

    run(work())
