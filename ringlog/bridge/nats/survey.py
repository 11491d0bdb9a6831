"""What a server has of one subject, and how far those are that pull it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringlog.bridge.errors import BadMessage
from ringlog.bridge.message import Header
from ringlog.bridge.nats.transport import Nats, require_client

if TYPE_CHECKING:
    from nats.js import api

    from ringlog.bridge.nats.connection import Connection

PATIENCE = 5.0  # seconds for an answer


@dataclass(frozen=True)
class ConsumerSeen:
    """Somebody who pulls. lag_messages: messages that it has not acknowledged; lag_events: the events from
    the first of them on; lag_seconds: the age of that message; None where that can't be told. on_the_way:
    messages that were delivered and not acknowledged. connected: is somebody there who takes them?"""

    name: str
    connected: bool
    lag_messages: int
    lag_events: int | None
    lag_seconds: float | None
    on_the_way: int


@dataclass(frozen=True)
class Survey:
    """What is kept on the subject. messages, bytes: of the whole JetStream stream, which may have other
    subjects too. oldest, newest: the headers of those messages on the subject; None: there are none."""

    address: str
    stream: str
    messages: int
    bytes: int
    limit: int | None
    oldest: Header | None
    newest: Header | None
    consumers: tuple[ConsumerSeen, ...]


def survey(transport: Nats) -> Survey | None:
    """Ask the server; None: it has no stream for the subject. Changes nothing.

    Raises ConnectFailed, NotAuthorized, BadSetup; Interrupted if it does not answer; BadMessage: something
    else is on the subject; ModuleNotFoundError without nats-py.
    """
    require_client()
    return asyncio.run(_survey(transport))


async def _survey(transport: Nats) -> Survey | None:
    from ringlog.bridge.nats import consumers, streams
    from ringlog.bridge.nats.connection import Connection

    settings = transport.settings
    connection = Connection(settings.access, "status", settings.subject, PATIENCE, lambda _: None)
    await connection.open(lambda _: None)
    try:
        info = await streams.find(connection, settings)
        if info is None:
            return None
        name = info.config.name or ""
        newest = await streams.newest(connection, name, settings.subject)
        oldest = await streams.first_from(connection, name, settings.subject, info.state.first_seq)
        seen = [
            await _consumer(connection, name, settings.subject, one, newest.header if newest else None)
            for one in await consumers.of_stream(connection, name)
            if _concerns(one, settings.subject)
        ]
        limit = info.config.max_bytes
        return Survey(
            address=transport.address,
            stream=name,
            messages=info.state.messages,
            bytes=info.state.bytes,
            limit=limit if limit and limit > 0 else None,
            oldest=oldest.header if oldest else None,
            newest=newest.header if newest else None,
            consumers=tuple(sorted(seen, key=lambda one: one.name)),
        )
    finally:
        await connection.close()


def _concerns(consumer: api.ConsumerInfo, subject: str) -> bool:
    from ringlog.bridge.nats.streams import covers

    filters = consumer.config.filter_subjects or [consumer.config.filter_subject or ">"]
    return any(covers(one, subject) for one in filters)


async def _consumer(
    connection: Connection, stream: str, subject: str, seen: api.ConsumerInfo, newest: Header | None
) -> ConsumerSeen:
    from ringlog.bridge.nats import streams

    unfinished = (seen.num_pending or 0) + (seen.num_ack_pending or 0)
    events: int | None = 0
    seconds: float | None = 0.0
    if unfinished and newest is not None:
        events = seconds = None
        floor = seen.ack_floor.stream_seq if seen.ack_floor else 0
        try:
            place = await streams.first_from(connection, stream, subject, floor + 1)
        except BadMessage:
            place = None
        if place is not None:
            seconds = max(0.0, time.time() - place.header.time / 1e9)
            if place.header.stream.is_same(newest.stream):
                events = newest.next - place.header.sequence
    return ConsumerSeen(
        name=seen.name,
        connected=bool(seen.push_bound) or bool(seen.num_waiting),
        lag_messages=unfinished,
        lag_events=events,
        lag_seconds=seconds,
        on_the_way=seen.num_ack_pending or 0,
    )
