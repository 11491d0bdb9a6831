"""The JetStream stream that holds a subject: found, made, looked through."""

from __future__ import annotations

import re
from typing import NamedTuple

from nats.js import api
from nats.js.errors import APIError, NotFoundError

from ringlog.bridge.errors import BadMessage, BadSetup, BridgeError, Full
from ringlog.bridge.message import Header
from ringlog.bridge.nats import faults
from ringlog.bridge.nats.connection import Connection
from ringlog.bridge.nats.transport import Settings


class Place(NamedTuple):
    """A message's header, and its sequence in the JetStream stream."""

    header: Header
    number: int


def name_of(subject: str) -> str:
    """The name for a stream that holds this subject alone."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", subject)


def covers(pattern: str, subject: str) -> bool:
    """Does a stream's subject, maybe with wildcards, include this one?"""
    wanted = subject.split(".")
    words = pattern.split(".")
    for index, word in enumerate(words):
        if word == ">":
            return len(wanted) > index
        if index >= len(wanted) or word not in ("*", wanted[index]):
            return False
    return len(words) == len(wanted)


async def find(connection: Connection, settings: Settings) -> api.StreamInfo | None:
    """The stream that holds the subject, or None. Raises Interrupted, BadSetup, NotAuthorized."""
    try:
        name = settings.stream
        if name is None:
            name = await connection.ask(lambda m: m.find_stream_name_by_subject(settings.subject))
        found = name
        return await connection.ask(lambda m: m.stream_info(found))
    except NotFoundError:
        return None


async def find_or_make(connection: Connection, settings: Settings) -> api.StreamInfo:
    """Raises as `find`, and BadSetup if what is there, or can be made, does not do for an outlet."""
    info = await find(connection, settings)
    if info is None:
        info = await _make(connection, settings)
    _check_outlet(info.config, settings, connection.address)
    return info


async def _make(connection: Connection, settings: Settings) -> api.StreamInfo:
    of_interest = settings.retention == "interest"
    window = settings.duplicate_window
    config = api.StreamConfig(
        name=settings.stream or name_of(settings.subject),
        description="events of a ringlog ring",
        subjects=[settings.subject],
        retention=api.RetentionPolicy(settings.retention),
        discard=api.DiscardPolicy.NEW if of_interest else api.DiscardPolicy.OLD,
        max_bytes=settings.keep_bytes,
        max_age=settings.keep_age or 0,
        storage=api.StorageType(settings.storage),
        num_replicas=settings.replicas,
        # The server wants it within the age.
        duplicate_window=window if settings.keep_age is None else min(window, settings.keep_age),
        allow_direct=True,
    )
    try:
        return await connection.ask(lambda m: m.add_stream(config))
    except NotFoundError as error:
        raise faults.of_request(error, connection.address) from None
    except Full as error:
        raise BadSetup(
            f"no room for a stream that keeps {settings.keep_bytes} bytes: {error};"
            " give a smaller keep_bytes, or the server more"
        ) from None
    except BadSetup as error:
        # Somebody made it a moment ago; or the name is taken by a stream of another subject.
        name = config.name or ""
        try:
            return await connection.ask(lambda m: m.stream_info(name))
        except NotFoundError:
            raise BadSetup(f"the stream {name!r} can't be made: {error}") from None


def _check_outlet(config: api.StreamConfig, settings: Settings, address: str) -> None:
    wrong = None
    if config.mirror is not None:
        wrong = "mirrors another: push to that one"
    elif not any(covers(one, settings.subject) for one in config.subjects or ()):
        subjects = ", ".join(config.subjects or ()) or "none"
        wrong = f"does not hold this subject, but {subjects}: name another stream, or add the subject"
    elif config.sealed:
        wrong = "is sealed: name another stream"
    elif config.no_ack:
        wrong = "does not acknowledge (no_ack), so nobody knows what it keeps: change that"
    elif config.retention == api.RetentionPolicy.WORK_QUEUE:
        wrong = "is a work queue, which gives each message to one taker only: it needs limits or interest"
    elif config.retention == api.RetentionPolicy.INTEREST and not is_alone(config, settings.subject):
        wrong = "has retention 'interest', and then it must hold this subject alone"
    elif config.allow_msg_counter or config.subject_transform is not None:
        wrong = "changes messages (counters, subject transforms): name another stream"
    if wrong is not None:
        raise BadSetup(f"{address}: the stream {config.name!r} {wrong}")


def check_inlet(config: api.StreamConfig, address: str) -> None:
    """Raises BadSetup: a stream that nothing can be pulled from."""
    if config.retention == api.RetentionPolicy.WORK_QUEUE:
        raise BadSetup(
            f"{address}: the stream {config.name!r} is a work queue,"
            " which gives each message to one taker only"
        )


def is_alone(config: api.StreamConfig, subject: str) -> bool:
    """Is a message of this subject all that can move the stream's last sequence?"""
    return config.subjects == [subject] and not config.sources


async def newest(connection: Connection, name: str, subject: str) -> Place | None:
    """The newest message on the subject that is kept. Raises BadMessage: it is none of ours."""
    try:
        return _place(await connection.ask(lambda m: m.get_last_msg(name, subject)))
    except NotFoundError as error:
        _check_none(error, connection)
        return None


async def first_from(connection: Connection, name: str, subject: str, number: int) -> Place | None:
    """The first message on the subject at this sequence of the JetStream stream or behind it."""
    try:
        return _place(
            await connection.ask(lambda m: m.get_msg(name, seq=max(1, number), subject=subject, next=True))
        )
    except NotFoundError as error:
        _check_none(error, connection)
        return None


def _check_none(error: APIError, connection: Connection) -> None:
    if error.err_code not in (faults.NO_MESSAGE, faults.NO_STREAM, None):
        raise faults.of_request(error, connection.address)


def _place(message: api.RawStreamMsg) -> Place:
    number = message.seq or 0
    try:
        return Place(Header.of(message.headers), number)
    except BadMessage as error:
        raise bad_message(error, message.subject or "", number) from None


def bad_message(error: BridgeError, subject: str, number: int) -> BadMessage:
    """The same error, with the place where the message stands."""
    return BadMessage(f"subject {subject}, stream sequence {number}: {error}")
