"""The first connection to a NATS server: made at once, or refused with a reason that a person understands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from nats.aio.client import Client

from ringlog.bridge.errors import BridgeError, ConnectFailed, NotAuthorized
from ringlog.bridge.nats import faults
from ringlog.bridge.nats.access import Access
from ringlog.bridge.nats.bulk import BulkParser
from ringlog.bridge.nats.link import abort, wire_of

FIRST_WAIT, LONGEST_WAIT = 0.1, 4.0  # seconds between two attempts to connect again
# publish() must never wait inside the client, which swallows a cancellation there. What is on its way is
# bounded by in_flight instead, and nothing is published while there is no connection.
NO_LIMIT = 1 << 50
PARTING = 0.5  # seconds for a client to close by itself


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("returning true from eof_received()")


# Without handlers of the program's, both would land on standard error: the client's errors, which come here
# as well, and what asyncio says of its way to use TLS whenever a server closes a connection.
logging.getLogger("nats").addHandler(logging.NullHandler())
logging.getLogger("asyncio").addFilter(_is_worth_saying)


class Callbacks(NamedTuple):
    """What the client calls once it is connected for the first time; before, nothing is called."""

    error: Callable[[Exception], Awaitable[None]]
    disconnected: Callable[[], Awaitable[None]]
    reconnected: Callable[[], Awaitable[None]]
    closed: Callable[[], Awaitable[None]]


async def join(access: Access, name: str, callbacks: Callbacks) -> Client:
    """A client that is connected. Each server is tried once.

    Raises ConnectFailed, NotAuthorized, BadSetup.
    """
    client = Client()
    client._ps = BulkParser(client)
    joined = leaving = False
    failures: list[BridgeError] = []

    async def on_error(error: Exception) -> None:
        if joined:
            await callbacks.error(error)
        elif not leaving:
            # Raising from here is how to leave the client's first connect(), which would try for ever.
            if isinstance(error, BridgeError):
                raise error
            failures.append(faults.of_connecting(error, access.address, access.connect_timeout))
            if len(failures) >= len(access.servers):
                refused = [one for one in failures if isinstance(one, NotAuthorized)]
                raise (refused or failures)[0]

    def later(callback: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            if joined:
                await callback()

        return call

    def next_server(servers: list[Any], more: dict[str, Any]) -> tuple[Any, float]:
        abort(wire_of(client))  # of the attempt before, which the client would leave open
        return _next_server(servers, more)

    options = {
        **_options(access),
        "reconnect_to_server_handler": next_server,
        "name": name,
        "error_cb": on_error,
        "disconnected_cb": later(callbacks.disconnected),
        "reconnected_cb": later(callbacks.reconnected),
        "closed_cb": later(callbacks.closed),
    }
    # Each step has a time limit of its own in the client; this one is for several servers and steps.
    limit = (access.connect_timeout + 1) * (len(access.servers) + 1)
    try:
        await asyncio.wait_for(client.connect(**options), limit)
        if not client.is_connected:
            raise ConnectionAbortedError
        check_tls(client, access)
    except BaseException as error:
        leaving = True
        await part(client)
        if not isinstance(error, Exception):
            raise
        raise faults.of_connecting(error, access.address, access.connect_timeout) from None
    joined = True
    return client


async def part(client: Client) -> None:
    """Close it, without waiting for a server that does not answer."""
    connected = client.is_connected
    closing = asyncio.ensure_future(client.close())
    if connected:
        await asyncio.wait({closing}, timeout=PARTING)
    abort(wire_of(client))
    # After TLS failed, the client waits for an end that nobody tells it of.
    await asyncio.wait({closing}, timeout=PARTING / 4)
    closing.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await closing


def check_tls(client: Client, access: Access) -> None:
    """Raises ConnectFailed: without TLS, the client goes on in plain text, whatever the URL says."""
    wire = wire_of(client)
    if access.wants_tls and wire is not None and wire.get_extra_info("ssl_object") is None:
        raise ConnectFailed(f"{access.address}: TLS is asked for, and this server does not use it")


def _options(access: Access) -> dict[str, Any]:
    return {
        "servers": list(access.servers),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": FIRST_WAIT,
        "connect_timeout": access.connect_timeout,
        "ping_interval": 3600,  # the connection asks more often, and cuts the link as well
        "pending_size": NO_LIMIT,
        "inbox_prefix": access.inbox_prefix or "_INBOX",
        "tls": access.tls_context() if access.wants_tls else None,
        "tls_hostname": access.tls_hostname,
        "tls_handshake_first": access.tls_first,
        "user": access.user,
        "password": access.password,
        "token": access.token,
        "user_credentials": access.creds,
        "nkeys_seed": access.nkey,
    }


def _next_server(servers: list[Any], _: dict[str, Any]) -> tuple[Any, float]:
    """The one that failed least often, and how long to wait before: growing, and not in step with others."""
    server = min(servers, key=lambda one: one.reconnects)
    wait = min(FIRST_WAIT * 2 ** min(server.reconnects, 10), LONGEST_WAIT)
    return server, wait * random.uniform(0.5, 1.5)
