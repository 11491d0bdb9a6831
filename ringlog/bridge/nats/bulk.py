"""The client's parser, with a shorter way for what is large.

Concept: a message of a MiB reaches the client in many reads, each of which it copies into a growing buffer,
and out of it twice. Here what is left of a large payload is read in pieces as they come, and joined once.
Guarantee: everything else is the client's own: control lines, small messages, errors, reconnects.
Caveat: of the client's private parts it uses the transport and where a message goes to, as its own parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nats.aio.transport import TcpTransport
from nats.errors import ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, AWAITING_MSG_PAYLOAD, Parser

if TYPE_CHECKING:
    from nats.aio.client import Client

LARGE = 64 << 10  # bytes still to come
END = b"\r\n"


class BulkParser(Parser):
    """Of one client. cut_off: the large message that began last is not whole; once its link has ended, by
    whatever error, it never will be."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._client: Any = client
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
        transport = self._client._transport
        headers = bytes(self.buf[: self.header_needed]) if self.header_needed else None
        parts = [bytes(memoryview(self.buf)[self.header_needed :])]
        left = self.needed - len(self.buf)
        while left:
            part = await transport.read(left)
            if not part:
                return False
            parts.append(part)
            left -= len(part)
        end = b""
        while len(end) < len(END):
            part = await transport.read(len(END) - len(end))
            if not part:
                return False
            end += part
        if end != END:
            raise ProtocolError("nats: a message without an end")
        self.buf.clear()
        self.header_needed = 0
        self.state = AWAITING_CONTROL_LINE
        which = self.msg_arg
        await self._client._process_msg(
            which["sid"], which["subject"], which["reply"], b"".join(parts), headers
        )
        return True
