"""A client's publishing, with a shorter way for what is large.

Concept: the client puts a message of a MiB together by copying it three times, each time into memory that is
new. Here it is written from where it is.
Guarantee: it comes behind all that the client was told before, and nothing comes between its parts.
Caveat: of the client's private parts it uses the transport and what waits to be written to that, as its own
flusher does. Subject, reply and headers are not looked at: they have to be fit to be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from ringlog.bridge.nats.link import wire_of

ENDS = 16 << 10  # bytes at each end of a message that go together with what frames them


async def publish(client: Client, subject: str, data: bytes, reply: str, headers: Mapping[str, str]) -> None:
    """Hand the message over, without waiting until it is gone. Raises the client's errors and OSError."""
    if type(client._transport) is not TcpTransport:  # it has frames of its own
        await client.publish(subject, data, reply, dict(headers))
        return
    wire = wire_of(client)
    if not client.is_connected or wire is None or wire.is_closing():  # the client may not know yet
        raise nats.errors.ConnectionReconnectingError
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    begin = f"HPUB {subject} {reply} {len(head)} {len(head) + len(data)}\r\n".encode() + head
    transport: Any = client._transport
    if client._pending_data_size > 0:
        transport.writelines(client._pending[:])
        client._pending, client._pending_data_size = [], 0
    if len(data) <= 2 * ENDS:
        transport.write(b"%s%s\r\n" % (begin, data))
        return
    whole = memoryview(data)
    transport.write(b"%s%s" % (begin, whole[:ENDS]))
    transport.write(whole[ENDS:-ENDS])
    transport.write(b"%s\r\n" % whole[-ENDS:])
