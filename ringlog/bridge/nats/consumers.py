"""The consumers of a JetStream stream, and which of them feed a copy: their names say so."""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

if TYPE_CHECKING:
    from nats.js import api
    from nats.js.manager import JetStreamManager

    from ringlog.bridge.nats.connection import Connection

PAGE = 256  # consumers that the server names at once


def _prefix(target: str) -> str:
    """Of the names of all consumers that feed this copy."""
    return f"ringlog_{target[:16]}_"


def new_name(target: str) -> str:
    """For one more consumer that feeds this copy."""
    return f"{_prefix(target)}{secrets.token_hex(4)}"


async def of_stream(connection: Connection, stream: str) -> list[api.ConsumerInfo]:
    """All of them. Raises as Connection.ask."""
    found: list[api.ConsumerInfo] = []
    while True:
        page = await connection.ask(functools.partial(_page, stream=stream, offset=len(found)))
        found += page
        if len(page) < PAGE:
            return found


async def _page(manager: JetStreamManager, stream: str, offset: int) -> list[api.ConsumerInfo]:
    return await manager.consumers_info(stream, offset)


async def fed(connection: Connection, stream: str, target: str) -> list[str]:
    """The names of those that feed this copy. Raises as Connection.ask."""
    prefix = _prefix(target)
    return [one.name for one in await of_stream(connection, stream) if one.name.startswith(prefix)]


async def delete(connection: Connection, stream: str, names: Iterable[str]) -> None:
    """Those that are gone already are no error. Raises as Connection.ask."""
    for name in names:
        with contextlib.suppress(NotFoundError):
            await connection.ask(lambda m, name=name: m.delete_consumer(stream, name))  # type: ignore[misc]
