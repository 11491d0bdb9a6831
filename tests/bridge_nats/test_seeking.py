"""The message that has an event: anywhere, in holes, in older streams, before there is anything."""

from __future__ import annotations

import itertools

from sides import (
    OTHER,
    STREAM,
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
)

from ringlog.bridge.message import Header, Message
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server


def test_seek_anywhere(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        async with outlet(nats) as out, inlet(nats) as into:
            # Of very different sizes in events, so that a guess by proportion goes wrong.
            sequences = [0]
            for count in [1, 1, 1, 500, 3, 1, 10_000, 2, 2, 40]:
                sequences.append(sequences[-1] + count)
            sent = [message(one, count=behind - one) for one, behind in itertools.pairwise(sequences)]
            await send_all(out, sent)
            for one in sent:
                assert await first_at(into, one.header.sequence) == one.header.sequence
                assert await first_at(into, one.header.next - 1) == one.header.sequence
            assert await first_at(into, sequences[-1]) is None
            await send_all(out, [message(sequences[-1])])
            assert (await take(into, 1))[0].header.sequence == sequences[-1]

    run(work())


def test_seek_where_messages_were_deleted(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            await send_all(out, messages(12))
            for number in (1, 2, 5, 6, 7, 9, 11):  # what is left: 20, 30, 70, 90, 110
                await js.delete_msg(subject.replace(".", "_"), number)
            wanted = {
                0: 20,
                20: 20,
                29: 20,
                30: 30,
                39: 30,
                40: 70,
                60: 70,
                79: 70,
                80: 90,
                100: 110,
                119: 110,
            }
            for sequence, first in wanted.items():
                assert await first_at(into, sequence) == first, sequence
            await into.seek(40)
            assert [one.header.sequence for one in await take(into, 3)] == [70, 90, 110]
            ends = await into.ends()
            assert ends == (message(20).header, message(110).header)

    run(work())


def test_seek_in_the_newest_stream_only(server: Server) -> None:
    """A ring was made again: what stands before the newest stream is passed over."""

    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, [*messages(5), *[message(one, stream=OTHER) for one in (3, 13, 23)]])
            for sequence, first in ((0, 3), (3, 3), (12, 3), (13, 13), (32, 23)):
                await into.seek(sequence)
                header = (await take(into, 1))[0].header
                assert (header.stream, header.sequence) == (OTHER, first)
            assert await first_at(into, 33) is None

    run(work())


def test_seek_after_a_purge(server: Server) -> None:
    subject = new_subject()

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            await send_all(out, messages(5))
            await js.purge_stream(subject.replace(".", "_"))
            assert await into.ends() is None
            assert await first_at(into, 20) is None
            assert await out.resume() is None
            await send_all(out, [message(70)])
            assert (await take(into, 1))[0].header.sequence == 70

    run(work())


def test_seek_the_end_of_a_stream(server: Server) -> None:
    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        end = Message(Header(STREAM, 10, 0, STREAM.start, ended=True), b"")
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, [message(0), end])
            await into.seek(10)
            assert await take(into, 1) == [end]
            await send_all(out, [message(10)])
            await into.seek(0)
            assert await take(into, 3) == [message(0), end, message(10)]

    run(work())


def test_before_there_is_anything(server: Server) -> None:
    """A pull that is started first: it finds nothing, and then what comes."""

    async def work() -> None:
        nats = Nats(new_subject(), server.url)
        async with inlet(nats, start=0) as into:
            assert await into.ends() is None
            assert await into.receive(0.01) is None
            async with outlet(nats) as out:
                await send_all(out, messages(3))
                assert await take(into, 3) == messages(3)

    run(work())


def test_the_ends_follow_the_stream(server: Server) -> None:
    subject = new_subject()
    name = subject.replace(".", "_")

    async def work() -> None:
        nats = Nats(subject, server.url)
        async with outlet(nats) as out, inlet(nats) as into, jetstream(server.url) as js:
            await send_all(out, messages(3))
            for _ in range(2):
                assert await into.ends() == (message(0).header, message(20).header)
            await js.delete_msg(name, 1)
            assert await into.ends() == (message(10).header, message(20).header)
            await js.delete_msg(name, 3)
            assert await into.ends() == (message(10).header, message(10).header)
            await js.delete_stream(name)
            assert await into.ends() is None
            assert await out.resume() is None
            await send_all(out, [message(0, stream=OTHER), message(10, stream=OTHER)])
            ends = message(0, stream=OTHER).header, message(10, stream=OTHER).header
            assert await into.ends() == ends

    run(work())
