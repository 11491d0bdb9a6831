"""The TCP link below a client: does anything get through, and how to cut it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from nats.aio.client import Client

MOVING = 16 << 10  # bytes within a time limit: more than pings and heartbeats are
# linux/tcp.h, struct tcp_info: tcpi_bytes_acked and tcpi_bytes_received, since Linux 4.1.
_COUNTS = struct.Struct("=QQ")
_COUNTS_AT = 120


def wire_of(client: Client) -> asyncio.WriteTransport | None:
    """What the client writes to.

    Private to it. But it waits until a link that it closes has taken all that was written to it, which a
    dead one never does, and it has no public way to cut one: without this, that takes a quarter of an hour.
    """
    writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
    return getattr(writer, "transport", None)


def abort(wire: asyncio.WriteTransport | None) -> None:
    """Cut a link, whatever is still on its way over it."""
    if wire is not None:
        with contextlib.suppress(Exception):
            wire.abort()


class Movement:
    """Whether a link gets on: a large message may be on its way for longer than a time limit.

    What the kernels at both ends have acknowledged is counted, either way, since nobody else knows before a
    message is whole.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self._at = 0

    def mark(self) -> None:
        """From now on."""
        self._at = self._passed()

    def has_moved(self) -> bool:
        """Since mark(), or the last time that this was asked."""
        before, self._at = self._at, self._passed()
        return self._at - before >= MOVING

    def _passed(self) -> int:
        wire = wire_of(self._client())
        if wire is not None:
            # closed (uvloop says so by a ValueError), or another kernel
            with contextlib.suppress(OSError, ValueError, struct.error, AttributeError):
                end = wire.get_extra_info("socket")
                info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTS_AT + _COUNTS.size)
                return sum(_COUNTS.unpack_from(info, _COUNTS_AT))
        return 0
