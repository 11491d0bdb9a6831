"""Messages out of JetStream: a durable consumer that the server pushes to, one generation after the other.

The consumer remembers nothing that counts: whoever receives says where to begin, after every loss of the
connection again. Each time there is a new consumer with an inbox of its own, so that nothing that was on
its way to the old one can arrive in between. The old one is deleted once the new one is there: in a stream
that keeps messages for those who want them there must always be one who does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

import nats.errors
from nats.js import api
from nats.js.errors import NotFoundError

from ringlog.bridge.errors import BadMessage, BridgeError, Interrupted
from ringlog.bridge.message import Header
from ringlog.bridge.nats import consumers, seeking, streams
from ringlog.bridge.nats.connection import GRACE, Connection

if TYPE_CHECKING:
    from datetime import datetime

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from ringlog.bridge.nats.transport import Settings
    from ringlog.bridge.transport import Notice

UNUSED = 7 * 86400.0  # seconds after which the server forgets a consumer that nobody listens to
UNUSED_SOON = 60.0
ACK_WAIT = 3600.0  # seconds until a message comes again that is not done: receiving may be slow
ENOUGH = 4  # times what is on its way at once, before a connection is lost: then that was not too much
LOOK = 0.5  # seconds between two looks for a stream that is not there yet


class NatsDelivery:
    """A message that has come: see `ringlog.bridge.transport.Delivery`."""

    __slots__ = ("_message", "data", "header")

    def __init__(self, header: Header, message: Msg) -> None:
        self.header = header
        self.data: bytes = message.data
        self._message = message

    async def done(self) -> None:
        """It need not come again. Best effort: if this is lost, it comes again."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await self._message.ack()


class NatsInlet:
    """Where pull receives: see `ringlog.bridge.transport.Inlet`."""

    def __init__(self, settings: Settings, target: str) -> None:
        self._settings = settings
        self._target = target
        self._connection = Connection(
            settings.access, "pull", settings.subject, settings.ack_timeout, self._lost
        )
        self._error: BridgeError | None = None
        self._sought: int | None = None  # what to seek for once there is a stream
        self._unused = UNUSED
        self._replicas: int | None = None
        self._stream = ""
        self._created: datetime | None = None
        self._first = self._last = 0  # of the stream
        self._oldest: tuple[tuple[str, datetime | None, int], Header] | None = None
        self._consumer = ""
        self._subscription: Subscription | None = None
        self._messages: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._window = settings.in_flight  # messages that the server may send before one is done
        self._count = 0  # of the consumer, at its newest delivery
        self._heard = 0.0
        self._movement = self._connection.movement()
        self._generation = 0

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def reconnects(self) -> int:
        return self._connection.reconnects

    async def open(self, notice: Notice) -> None:
        """Connect. Raises ConnectFailed, NotAuthorized, BadSetup; that there is no stream yet is no error."""
        await self._connection.open(notice)
        with contextlib.suppress(Interrupted):
            await self._find()

    async def ends(self) -> tuple[Header, Header] | None:
        """The oldest and the newest header. Waits for the connection; raises Interrupted, BadMessage, ..."""
        await self._connection.ready()
        try:
            return await self._look_for_ends()
        finally:
            self._movement.mark()  # the bytes of answers say nothing of a delivery that is on its way

    async def _look_for_ends(self) -> tuple[Header, Header] | None:
        if not await self._find():
            return None
        subject = self._settings.subject
        first = (self._stream, self._created, self._first)
        if self._oldest is None or self._oldest[0] != first:
            # With its data it comes over the network, so not each time.
            place = await streams.first_from(self._connection, self._stream, subject, 1)
            if place is None:
                return None
            self._oldest = ((self._stream, self._created, place.number), place.header)
        newest = await streams.newest(self._connection, self._stream, subject)
        return (self._oldest[1], newest.header) if newest is not None else None

    async def seek(self, sequence: int, *, lasting: bool = True) -> None:
        """Begin with this event: see `ringlog.bridge.transport.Inlet`. Waits for the connection.

        Raises Interrupted, BadMessage, NotAuthorized, BadSetup.
        """
        await self._connection.ready()
        await self._leave()
        self._sought = sequence
        self._unused = UNUSED if lasting else UNUSED_SOON
        if await self._find():
            await self._begin(sequence)

    async def forget(self, target: str) -> None:
        """Delete the consumers of a copy that is gone. Raises Interrupted, NotAuthorized, BadSetup."""
        if await self._find():
            names = await consumers.fed(self._connection, self._stream, target)
            await consumers.delete(self._connection, self._stream, names)

    async def receive(self, timeout: float) -> NatsDelivery | None:
        """The next message, or None after `timeout` seconds.

        Raises Interrupted: seek() again. BadMessage: one that is none of ringlog's; the next call goes on
        behind it. NotAuthorized, BadSetup.
        """
        deadline = time.monotonic() + timeout
        while True:
            if self._messages:
                return self._next()
            self._check()
            left = deadline - time.monotonic()
            if self._subscription is None:
                if self._sought is None:
                    raise Interrupted("seek() was not called yet")
                if await self._find():
                    await self._begin(self._sought)
                    continue
                step = LOOK
            else:
                silent = time.monotonic() - self._heard
                if silent > self._settings.ack_timeout:
                    heard = self._heard
                    await asyncio.sleep(GRACE)
                    if heard != self._heard:
                        continue
                    if self._movement.has_moved():
                        self._heard = time.monotonic()  # a large message is on its way, over a slow link
                        continue
                    self._interrupt(f"nothing came for {silent:.1f} s, not even a sign that nothing is new")
                    continue
                step = self._settings.ack_timeout - silent
            if left <= 0:
                return None
            self._arrived.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), max(0.001, min(left, step)))

    def _next(self) -> NatsDelivery:
        message = self._messages.popleft()
        try:
            header = Header.of(message.headers)
        except BadMessage as error:
            number = message.metadata.sequence.stream
            raise streams.bad_message(error, message.subject, number) from None
        return NatsDelivery(header, message)

    def _check(self) -> None:
        self._connection.check()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _find(self) -> bool:
        info = await streams.find(self._connection, self._settings)
        if info is None:
            return False
        streams.check_inlet(info.config, self._connection.address)
        self._stream = info.config.name or ""
        self._created = info.created
        self._first, self._last = info.state.first_seq, info.state.last_seq
        # Where a copy goes on is in its ring, so a consumer that is lost is made again: one replica is
        # enough, and a RAFT group less. Where consumers decide what is kept, the server wants the stream's.
        kept_for_all = info.config.retention == api.RetentionPolicy.LIMITS
        self._replicas = 1 if kept_for_all else None
        return True

    async def _begin(self, sequence: int) -> None:
        connection, settings = self._connection, self._settings
        client = connection.client
        number = await seeking.number_of(connection, self._stream, settings.subject, sequence)
        generation = self._generation
        inbox = client.new_inbox()

        async def arrive(message: Msg) -> None:
            await self._arrive(message, generation)

        name = consumers.new_name(self._target)
        config = api.ConsumerConfig(
            name=name,
            durable_name=name,
            description=f"a copy of {settings.subject} in a ringlog ring",
            deliver_subject=inbox,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._last + 1 if number is None else number,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_ack_pending=self._window,
            idle_heartbeat=max(0.1, settings.ack_timeout / 4),
            inactive_threshold=self._unused,
            num_replicas=self._replicas,
            filter_subject=settings.subject,
        )
        known, self._consumer = self._consumer, ""  # until all is done, ask what there is
        try:
            await connection.ask(lambda m: m.add_consumer(self._stream, config))
            older = [known] if known else await consumers.fed(connection, self._stream, self._target)
            await consumers.delete(connection, self._stream, [one for one in older if one != name])
        except NotFoundError:
            return  # the stream went just now: receive() looks for it again
        if generation != self._generation:
            await self._leave()
            self._check()
            return
        self._consumer = name
        # Last: what was asked is not answered behind all that may then be on its way.
        self._count = 0
        self._heard = time.monotonic()
        self._movement.mark()
        self._subscription = await client.subscribe(inbox, cb=arrive, pending_bytes_limit=0)

    async def _arrive(self, message: Msg, generation: int) -> None:
        if generation != self._generation:
            return
        self._heard = time.monotonic()
        if message.subject != self._settings.subject:  # the server itself speaks to the inbox
            status = message.headers.get(api.Header.STATUS.value) if message.headers else None
            if status is not None and status != api.StatusCode.CONTROL_MESSAGE:
                self._interrupt(f"the consumer is gone: {message.headers}")
            return
        try:
            meta = message.metadata
        except (nats.errors.Error, ValueError, IndexError):
            return  # somebody wrote to the inbox: no delivery of a consumer
        if meta.num_delivered > 1:
            return  # it is here already: nothing that came gets lost without Interrupted
        if meta.sequence.consumer != self._count + 1:
            self._interrupt(f"delivery {self._count + 1} is missing")
            return
        self._count += 1
        self._movement.mark()
        self._messages.append(message)
        self._arrived.set()

    def _lost(self, reason: str) -> None:
        """The connection is gone. A server ends one that does not take, within ten seconds, all that it may
        send: over a slow link less has to be on the way at once."""
        if self._connection.cut_off and self._count < ENOUGH * self._window:
            self._window = max(1, self._window // 2)
        else:
            self._window = self._settings.in_flight
        self._interrupt(reason)

    def _interrupt(self, reason: str) -> None:
        """What comes from now on is void, and must be asked for again; what is here is in order."""
        self._generation += 1
        self._error = Interrupted(reason)
        self._arrived.set()

    async def _leave(self) -> None:
        """Hear no more of the current generation."""
        self._generation += 1
        self._messages.clear()
        self._error = None
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def close(self) -> None:
        """What was not done() will come again."""
        self._generation += 1
        self._messages.clear()
        await self._connection.close()
