"""Messages that come in many pieces: the shorter way for them, and links that end within one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import pytest
from nats.aio.transport import TcpTransport
from nats.errors import ProtocolError
from proxy import Proxy
from sides import inlet, jetstream, messages, new_subject, outlet, run, send_all, take, take_again, until

from ringlog.bridge.errors import Interrupted
from ringlog.bridge.nats import Nats
from ringlog.bridge.nats.bulk import LARGE, BulkParser
from ringlog.bridge.server import Server


class Pieces:
    """A transport that gives what it has in pieces of this size, and a client that takes what is parsed."""

    def __init__(self, data: bytes, size: int) -> None:
        self._transport = self
        self.data, self.size = data, size
        self.taken: list[tuple[bytes, bytes, bytes, bytes | None]] = []

    async def read(self, most: int) -> bytes:
        piece = self.data[: min(most, self.size)]
        self.data = self.data[len(piece) :]
        return piece

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> None:
        self.taken.append((subject, reply, data, headers))


HEADERS = b"NATS/1.0\r\nOne: 1\r\n\r\n"


def protocol(data: bytes, headers: bytes | None) -> bytes:
    if headers is None:
        return b"MSG a.b 7 reply.1 %d\r\n%s\r\n" % (len(data), data)
    whole = headers + data
    return b"HMSG a.b 7 reply.1 %d %d\r\n%s\r\n" % (len(headers), len(whole), whole)


def parsed(monkeypatch: pytest.MonkeyPatch, data: bytes, size: int) -> list[Any]:
    monkeypatch.setattr("ringlog.bridge.nats.bulk.TcpTransport", Pieces)

    async def work() -> list[Any]:
        client: Any = Pieces(data, size)
        parser = BulkParser(client)
        while piece := await client.read(32768):
            await parser.parse(piece)
        assert not parser.buf
        return client.taken

    return asyncio.run(work())


@pytest.mark.parametrize("size", [1000, 32768, LARGE - 1, LARGE, LARGE + 1, 1 << 20])
@pytest.mark.parametrize("headers", [None, HEADERS])
def test_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, size: int, headers: bytes | None) -> None:
    bodies = [bytes([65 + k]) * n for k, n in enumerate([0, 5, LARGE, 3 * LARGE + 1, 32768, 1 << 20, 1])]
    wire = b"".join(protocol(body, headers) for body in bodies)
    taken = parsed(monkeypatch, wire, size)
    assert taken == [(b"a.b", b"reply.1", body, headers) for body in bodies]
    assert all(type(body) is bytes for _, _, body, _ in taken)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 40, 50_000, 100_000])
def test_an_end_within_a_message(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """Nothing of it is handed on, whether its last byte is missing or all but its first."""
    monkeypatch.setattr("ringlog.bridge.nats.bulk.TcpTransport", Pieces)
    whole = protocol(b"x" * (3 * LARGE), HEADERS)
    client: Any = Pieces(whole[: len(whole) - cut], 30_000)

    async def work() -> None:
        parser = BulkParser(client)
        while piece := await client.read(32768):
            await parser.parse(piece)
        assert parser.cut_off == (cut > 0)

    asyncio.run(work())
    assert len(client.taken) == (cut == 0)


class Link:
    """A real link to whoever writes, and a client that takes what is parsed of it."""

    _process_msg = Pieces._process_msg

    def __init__(self) -> None:
        self._transport = TcpTransport()
        self.taken: list[tuple[bytes, bytes, bytes, bytes | None]] = []

    async def read_all(self, port: int) -> BulkParser:
        await self._transport.connect(urlparse(f"nats://127.0.0.1:{port}"), 32768, 5)
        client: Any = self
        parser = BulkParser(client)
        with contextlib.suppress(ConnectionResetError):
            while piece := await self._transport.read(32768):
                await parser.parse(piece)
        return parser

    async def close(self) -> None:
        self._transport.close()
        with contextlib.suppress(ConnectionResetError):
            await self._transport.wait_closed()


def over_a_link(wire: bytes, size: int, *, reset: bool = False) -> tuple[list[Any], BulkParser]:
    """What is taken of this when it is written in pieces of that size, and how the parser is left."""

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            for at in range(0, len(wire), size):
                writer.write(wire[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
        if reset:
            await asyncio.sleep(0.05)
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async def work() -> tuple[list[Any], BulkParser]:
        link = Link()
        async with await asyncio.start_server(write, "127.0.0.1", 0) as server:
            try:
                parser = await link.read_all(server.sockets[0].getsockname()[1])
            finally:
                await link.close()
        return link.taken, parser

    return asyncio.run(work())


BODIES = [bytes([65 + k]) * n for k, n in enumerate([5, 3 * LARGE + 1, 1 << 20, 1 << 20, 7, 2 * LARGE, 0])]


@pytest.mark.parametrize("size", [5000, LARGE, 200_001, 4 << 20])
@pytest.mark.parametrize("headers", [None, HEADERS])
def test_over_a_link(size: int, headers: bytes | None) -> None:
    """Large ones, past the reader of the link, and small ones between them."""
    taken, parser = over_a_link(b"".join(protocol(body, headers) for body in BODIES), size)
    assert taken == [(b"a.b", b"reply.1", body, headers) for body in BODIES]
    assert not parser.buf
    assert not parser.cut_off


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", [1, 2, 3, 50_000, LARGE + 1])
def test_a_link_that_ends(cut: int, reset: bool) -> None:
    wire = protocol(b"x" * (1 << 20), None) + protocol(b"y" * (1 << 20), HEADERS)
    taken, parser = over_a_link(wire[:-cut], 100_000, reset=reset)
    assert parser.cut_off
    assert [len(body) for _, _, body, _ in taken] == [1 << 20]


def test_a_message_without_an_end() -> None:
    whole = protocol(b"x" * (1 << 20), None)
    with pytest.raises(ProtocolError):
        over_a_link(whole[:-2] + b"??", 1 << 20)


def test_reading_that_is_cancelled() -> None:
    """Whoever reads next gets what comes next, as if nobody had read past the link's reader."""

    async def work() -> None:
        held: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

        async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(protocol(b"x" * (1 << 20), None)[:500_000])
            held.set_result(writer)

        link = Link()
        async with await asyncio.start_server(write, "127.0.0.1", 0) as server:
            reading = asyncio.ensure_future(link.read_all(server.sockets[0].getsockname()[1]))
            writer = await held
            await asyncio.sleep(0.1)
            wire = link._transport._io_writer.transport
            own = wire.get_protocol()
            reading.cancel()
            await asyncio.wait({reading})
            assert wire.get_protocol() is not own
            writer.write(b"more")
            assert await asyncio.wait_for(link._transport.read(10), 5) == b"more"
            writer.close()
            await link.close()

    asyncio.run(work())


def test_a_link_that_ended_before_it_is_read_past_its_reader() -> None:
    """Such a link says nothing any more to whoever listens to it now."""

    class Deaf(asyncio.Transport):
        def get_protocol(self) -> asyncio.BaseProtocol:
            return asyncio.Protocol()

        def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
            pass

    async def work() -> None:
        client: Any = Link()
        reader = asyncio.StreamReader()
        client._transport._io_reader = reader
        client._transport._io_writer = SimpleNamespace(transport=Deaf())
        parser = BulkParser(client)
        wire = protocol(b"x" * (1 << 20), None)
        reader.feed_data(wire[:300_000])
        reader.feed_eof()
        await asyncio.wait_for(parser.parse(await reader.read(32768)), 5)
        assert parser.cut_off

    asyncio.run(work())


def test_less_is_on_its_way_where_a_link_ends_too_soon(server: Server, proxy: Proxy) -> None:
    """As when a server hangs up since it can't write, in time, all that it may."""

    async def work() -> None:
        subject = new_subject()
        sent = messages(6, size=512 << 10)
        async with outlet(Nats(subject, server.url)) as out:
            await send_all(out, sent)
        proxy.hold_at(sent[2].data[: 1 << 10])

        async def allowed() -> int | None:
            async with jetstream(server.url) as stream:
                (one,) = await stream.consumers_info(await stream.find_stream_name_by_subject(subject))
                return one.config.max_ack_pending

        async with inlet(Nats(subject, proxy.url), start=None) as into:
            parser = into._connection.client._ps
            seeking = asyncio.ensure_future(into.seek(0))

            def is_within() -> bool:
                assert isinstance(parser, BulkParser)
                return parser.cut_off and parser.msg_arg.get("subject") == subject.encode()

            await until(lambda: proxy.holds and is_within())
            assert await allowed() == 8
            proxy.cut()
            proxy.resume()
            with contextlib.suppress(Interrupted):
                await seeking
            came = await take_again(into, 0, sent[-1].header.next - 1)
            assert came == sent
            assert await allowed() == 4

    run(work())


def test_what_has_come_is_not_lost_with_the_link(server: Server, proxy: Proxy) -> None:
    async def work() -> None:
        subject = new_subject()
        sent = messages(3)
        async with outlet(Nats(subject, server.url)) as out, inlet(Nats(subject, proxy.url)) as into:
            await send_all(out, sent)
            await until(lambda: len(into._messages) == 3)
            proxy.cut()
            await until(lambda: not into.connected)
            assert await take(into, 3) == sent
            proxy.resume()

    run(work())
