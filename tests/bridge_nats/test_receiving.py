"""Seeking, order, and memory of the side that receives."""

from __future__ import annotations

import asyncio

import pytest
from sides import (
    EACH,
    TARGET,
    first_at,
    inlet,
    jetstream,
    message,
    messages,
    new_subject,
    outlet,
    run,
    send_all,
    take,
    until,
)

from ringlog.bridge.errors import BadMessage, BadSetup, Interrupted
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server


def test_all_come_whole_and_in_order(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        sent = messages(100)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, sent)
            assert await take(into, 100) == sent
            assert await into.ends() == (sent[0].header, sent[-1].header)
            assert await into.receive(0.0) is None

    run(work())


def test_what_came_before_a_seek_comes_no_more(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(30))
            for _ in range(10):
                await into.seek(0)
                await take(into, 2)
                await into.seek(150)
                assert [one.header.sequence for one in await take(into, 2)] == [150, 160]

    run(work())


def test_one_consumer_for_a_copy(server: Server) -> None:
    """Also after processes that were killed: what they left is found by the name of the copy."""
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, jetstream(server.url) as js:
            await send_all(out, messages(3))
            for _ in range(3):
                async with inlet(nats) as into:
                    await into.seek(10)
                    await take(into, 1)
            other = nats.inlet("fedcba9876543210" * 2)
            await other.open(print)
            await other.seek(0)
            await other.close()
            names = [one.name for one in await js.consumers_info(subject.replace(".", "_"))]
            assert sorted(name[: len("ringlog_") + 16] for name in names) == [
                f"ringlog_{TARGET[:16]}",
                "ringlog_fedcba9876543210",
            ]

    run(work())


def test_an_interest_stream_keeps_what_is_not_done(server: Server) -> None:
    """At no moment of a seek is there nobody who wants the messages."""
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url, retention="interest")
        first = nats.outlet()
        await first.open(print)
        async with inlet(nats) as into, outlet(nats) as out, jetstream(server.url) as js:
            await send_all(out, messages(10))
            await take(into, 4)
            await until_kept(js, subject, 6)
            for _ in range(3):
                await into.seek(40)
            assert [one.header.sequence for one in await take(into, 6)] == [40, 50, 60, 70, 80, 90]
            await until_kept(js, subject, 0)
            await send_all(out, [message(100)])  # the chain goes on though nothing is left
            assert await take(into, 1) == [message(100)]
        await first.close()

    async def until_kept(js: object, subject: str, count: int) -> None:
        name = subject.replace(".", "_")
        while (await js.stream_info(name)).state.messages != count:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)

    run(work())


def test_memory_is_bounded_while_nothing_is_received(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url, in_flight=4, ack_timeout=0.4)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(50))
            await until(lambda: len(into._messages) == 4)
            heard = into._heard
            await until(lambda: into._heard > heard + 0.2)  # the server could have sent more in that time
            assert len(into._messages) == 4
            assert await take(into, 50) == messages(50)

    run(work())


def test_messages_that_are_none_of_ours(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            await send_all(out, messages(2))
            await js.publish(subject, b"hello")
            await js.publish(subject, b"hello", headers={"Ringlog-Format": "1"})
            assert await take(into, 2) == messages(2)
            with pytest.raises(BadMessage, match=f"{subject}, stream sequence 3: .*not ringlog's"):
                await into.receive(5)
            with pytest.raises(BadMessage, match=f"{subject}, stream sequence 4: .*damaged"):
                await into.receive(5)
            with pytest.raises(BadMessage, match="stream sequence 4"):
                await into.ends()

    run(work())


@pytest.mark.parametrize("status", ["100", "503"])
def test_a_status_in_a_message_says_nothing(server: Server, status: str) -> None:
    """Only the server itself says how a consumer is, and not on the subject."""

    async def work() -> None:
        subject = new_subject()
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            first, second = messages(2)
            headers = {**first.header.as_headers(), "Status": status}
            await js.publish(subject, first.data, headers=headers)
            await out.resume()
            await send_all(out, [second])
            assert await take(into, 2) == [first, second]

    run(work())


def test_letters_to_its_inbox_are_not_believed(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            assert await first_at(into, 0) is None
            await send_all(out, messages(1))
            assert await take(into, 1) == messages(1)
            subscription = into._subscription
            assert subscription is not None
            await js._nc.publish(subscription.subject, b"x", headers=message(10).header.as_headers())
            await send_all(out, [message(10)])
            assert await take(into, 1) == [message(10)]

    run(work())


def test_a_consumer_that_was_deleted(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url, ack_timeout=0.5)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            await send_all(out, messages(2))
            await take(into, 1)
            await take(into, 1)
            await js.delete_consumer(subject.replace(".", "_"), into._consumer)
            with pytest.raises(Interrupted):
                await into.receive(20)
            await into.seek(10)
            assert await take(into, 1) == messages(2)[1:]

    run(work())


def test_a_work_queue(server: Server) -> None:
    async def work() -> None:
        async with jetstream(server.url) as js:
            await js.add_stream(name="queue", subjects=["queue.it"], retention="workqueue")
            with pytest.raises(BadSetup, match="work queue"):
                async with inlet(Nats("queue.it", server.url)):
                    pass

    run(work())


def test_a_mirror_can_be_pulled_from(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, jetstream(server.url) as js:
            await send_all(out, messages(5))
            await js.add_stream(name="copy_of_it", mirror={"name": subject.replace(".", "_")})
            while (await js.stream_info("copy_of_it")).state.messages < 5:
                await asyncio.sleep(0.01)
            async with inlet(Nats(subject, server.url, stream="copy_of_it"), start=25) as into:
                assert [one.header.sequence for one in await take(into, 3)] == [20, 30, 40]

    run(work())


def test_beside_other_subjects(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with jetstream(server.url) as js:
            await js.add_stream(name="both", subjects=[subject, "both.>"])
            async with outlet(nats) as out, inlet(nats) as into:
                for one in messages(6):
                    await js.publish("both.other", b"between")
                    await send_all(out, [one])
                await js.publish("both.other", b"at the end")
                assert await take(into, 6) == messages(6)
                for sequence in (0, 35, 59):
                    assert await first_at(into, sequence) == sequence // EACH * EACH

    run(work())
