"""The client's parser, with a shorter way for what is large.

Concept: a message of a MiB reaches the client in many reads, each of which it copies into a growing buffer,
and out of it twice. Here what is left of a large payload is received where it belongs, and copied once.
Guarantee: everything else is the client's own: control lines, small messages, errors, reconnects, TLS.
Caveat: of the client's private parts it uses the transport and where a message goes to, as its own parser.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

from nats.aio.transport import TcpTransport
from nats.errors import ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, AWAITING_MSG_PAYLOAD, Parser

from ringlog.bridge.nats.link import wire_of

if TYPE_CHECKING:
    from nats.aio.client import Client

LARGE = 64 << 10  # bytes still to come
AT_ONCE = 128 << 10  # bytes to be woken for: half a second-level cache
END = b"\r\n"


class BulkParser(Parser):
    """Of one client. cut_off: the large message that began last is not whole; once its link has ended, by
    whatever error, it never will be."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._client: Any = client
        self._space = bytearray()  # of the largest message so far
        self.cut_off = False

    async def parse(self, data: bytes = b"") -> None:
        await super().parse(data)
        while (
            self.state == AWAITING_MSG_PAYLOAD
            and self.needed - len(self.buf) >= LARGE
            and len(self.buf) >= self.header_needed
            and type(self._client._transport) is TcpTransport
        ):
            self.cut_off = True  # for whoever is told of an error meanwhile, too
            self.cut_off = not await self._gather()
            if self.cut_off:
                return

    async def _gather(self) -> bool:
        """The rest of the message that has begun; False: the other side is gone."""
        headers = bytes(self.buf[: self.header_needed]) if self.header_needed else None
        size = self.needed - self.header_needed
        whole = size + len(END)
        if len(self._space) < whole:
            self._space = bytearray(whole)
        with memoryview(self._space) as space:
            here = len(self.buf) - self.header_needed
            space[:here] = self.buf[self.header_needed :]
            if not await self._fill(space[here:whole]):
                return False
            if space[size:whole] != END:
                raise ProtocolError("nats: a message without an end")
            data = bytes(space[:size])
        self.buf.clear()
        self.header_needed = 0
        self.state = AWAITING_CONTROL_LINE
        which = self.msg_arg
        await self._client._process_msg(which["sid"], which["subject"], which["reply"], data, headers)
        return True

    async def _fill(self, room: memoryview) -> bool:
        """With what comes; False: the other side is gone."""
        transport = self._client._transport
        while room:
            part = await transport.read(len(room))
            if not part:
                return False
            room[: len(part)] = part
            room = room[len(part) :]
            # It was less than was asked for, so the client's reader has nothing left.
            if len(room) >= LARGE and (wire := self._plain_wire()) is not None and not transport.at_eof():
                return await _straight(wire, room)
        return True

    def _plain_wire(self) -> asyncio.WriteTransport | None:
        wire = wire_of(self._client)
        return wire if wire is not None and wire.get_extra_info("sslcontext") is None else None


async def _straight(wire: asyncio.WriteTransport, room: memoryview) -> bool:
    """Fill it past the client's reader, which holds nothing; False: the other side is gone."""
    straight = _Straight(wire, room)
    try:
        return await straight.full
    finally:
        straight.leave()


class _Straight(asyncio.BufferedProtocol):
    """Takes the place of a link's protocol until there is no more room, or the link has ended."""

    def __init__(self, wire: asyncio.WriteTransport, room: memoryview) -> None:
        self.full: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._wire = wire
        self._others = cast("asyncio.Protocol", wire.get_protocol())
        self._room = room
        self._wake_for(min(len(room), AT_ONCE))
        wire.set_protocol(self)

    def _wake_for(self, many: int) -> None:
        """Bytes; an end or an error wakes as well, and so does the kernel when it can't hold so many."""
        with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed
            self._wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, many)

    def leave(self, *, whole: bool = False) -> None:
        if not self.full.done():
            self.full.set_result(whole)
        if self._wire.get_protocol() is self:
            self._wake_for(1)
            self._wire.set_protocol(self._others)
        self._room = self._room[:0]

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self._room = self._room[nbytes:]
        if not self._room:
            self.leave(whole=True)
        elif len(self._room) < AT_ONCE:
            self._wake_for(len(self._room))

    def eof_received(self) -> bool | None:
        self.leave()
        return self._others.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()
        self._others.connection_lost(exc)

    def pause_writing(self) -> None:
        self._others.pause_writing()

    def resume_writing(self) -> None:
        self._others.resume_writing()
