"""Messages into JetStream: several on their way, each kept only if the one before it is.

Every message says which sequence and which id the stream's last one must have. So whatever becomes of a
message, the server keeps nothing behind it, and one that comes late, from a connection or a process that is
gone, can't slip in between.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import nats.errors
from nats.js.api import Header as Name
from nats.js.errors import APIError

from ringlog.bridge.errors import BadSetup, BridgeError, Full, Interrupted, MessageTooLarge
from ringlog.bridge.message import Header, Message
from ringlog.bridge.nats import faults, streams
from ringlog.bridge.nats.connection import GRACE, PAUSE, Connection
from ringlog.bridge.nats.post import publish

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import api

    from ringlog.bridge.nats.transport import Settings
    from ringlog.bridge.transport import Notice

T = TypeVar("T")
HEADERS = 1024  # bytes that a message's headers take, at most


class Waiting(NamedTuple):
    """A message that is on its way; last: the sequence that it gets if the chain holds."""

    number: int
    last: int
    future: asyncio.Future[None]


class NatsOutlet:
    """Where push sends: see `ringlog.bridge.transport.Outlet`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._notice: Notice = lambda _: None
        self._connection = Connection(
            settings.access, "push", settings.subject, settings.ack_timeout, self._interrupt
        )
        self._error: BridgeError | None = Interrupted("resume() was not called yet")
        self._waiting: deque[Waiting] = deque()
        self._number = 0
        self._last = 0  # the sequence of the last message, once all are kept
        self._stream = ""
        self._alone = True
        self._unwanted = False
        self._last_id = ""  # its id, if it was sent since resume()
        self._salt = ""
        self._inbox = ""
        self._listening: Client | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._movement = self._connection.movement()
        self.limit = 0
        self.in_flight = settings.in_flight

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def reconnects(self) -> int:
        return self._connection.reconnects

    async def open(self, notice: Notice) -> None:
        """Raises ConnectFailed, NotAuthorized, BadSetup."""
        self._notice = notice
        await self._connection.open(notice)
        await self._until_answered(self._open)

    async def _open(self) -> None:
        self._take(await streams.find_or_make(self._connection, self._settings))

    async def resume(self) -> Header | None:
        """The newest header that is kept. Waits for the connection as long as it takes.

        Raises BadMessage: the newest message is none of ringlog's; NotAuthorized, BadSetup.
        """
        self._interrupt("sending begins again from what is kept")
        return await self._until_answered(self._resume)

    async def _until_answered(self, work: Callable[[], Awaitable[T]]) -> T:
        told = ""
        while True:
            await self._connection.ready()
            try:
                return await work()
            except Interrupted as error:
                if self._connection.connected and str(error) != told:
                    told = str(error)
                    self._notice(f"waiting for an answer: {error}")
                await asyncio.sleep(PAUSE)

    async def _resume(self) -> Header | None:
        connection, subject = self._connection, self._settings.subject
        client = connection.client
        await self._listen(client)
        info = await streams.find_or_make(connection, self._settings)
        self._take(info)
        newest = await streams.newest(connection, self._stream, subject)
        number = newest.number if newest is not None else 0
        if self._alone:
            # Messages may be gone; the stream's own last sequence stays. One that came meanwhile raises it.
            number = max(number, info.state.last_seq)
        if connection.client is not client or not connection.connected:
            raise Interrupted("the connection was lost meanwhile")
        self._last = number
        self._last_id = ""
        self._error = None
        return newest.header if newest is not None else None

    def _take(self, info: api.StreamInfo) -> None:
        config, settings = info.config, self._settings
        self._stream = config.name or ""
        self._alone = streams.is_alone(config, settings.subject)
        # Without a prediction, each message has to wait for the sequence of the one before.
        self.in_flight = settings.in_flight if self._alone else 1
        # Such a stream acknowledges what nobody wants, and keeps nothing of it.
        self._unwanted = config.retention == "interest" and info.state.consumer_count == 0
        limits = [self._connection.client.max_payload, settings.message_bytes + HEADERS]
        if config.max_msg_size is not None and config.max_msg_size > 0:
            limits.append(config.max_msg_size)
        if config.max_bytes is not None and config.max_bytes > 0:
            # The server acknowledges a message that is larger than this, and drops it at once. Half, so that
            # one message does not take the place of all others.
            limits.append(config.max_bytes // 2)
        self.limit = min(limits) - HEADERS
        if self.limit <= 0:
            raise BadSetup(f"{self._connection.address} takes messages of at most {min(limits)} bytes")

    async def _listen(self, client: Client) -> None:
        if self._listening is not client:
            self._inbox = client.new_inbox()
            await client.subscribe(f"{self._inbox}.*", cb=self._on_answer)
            self._listening = client

    async def send(self, message: Message) -> asyncio.Future[None]:
        """Hand over the next message; waits for room among those on their way.

        It, or the future, raises Interrupted, Full, MessageTooLarge, NotAuthorized, BadSetup.
        """
        while self._error is None and len(self._waiting) >= self.in_flight:
            await asyncio.wait({self._waiting[0].future})
        self._connection.check()
        if self._error is not None:
            raise type(self._error)(str(self._error))
        if len(message.data) > self.limit:
            raise MessageTooLarge(
                f"{len(message.data)} bytes, and {self._connection.address} takes {self.limit} at most"
            )
        if self._unwanted:
            await asyncio.sleep(PAUSE)
            self._fail(Full(f"no pull has asked for {self._settings.subject} yet, so nothing is kept"))
            raise Full(f"no pull has asked for {self._settings.subject} yet, so nothing is kept")
        expected = Name.EXPECTED_LAST_SEQUENCE if self._alone else Name.EXPECTED_LAST_SUBJECT_SEQUENCE
        headers = {
            **message.header.as_headers(),
            Name.MSG_ID.value: message.header.id + self._salt,
            Name.EXPECTED_STREAM.value: self._stream,
            expected.value: str(self._last),
        }
        if self._alone and self._last_id:
            # The number alone fits behind whatever came there in place of the message before this one.
            headers[Name.EXPECTED_LAST_MSG_ID.value] = self._last_id
        self._last_id = headers[Name.MSG_ID.value]
        self._number += 1
        self._last += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = Waiting(self._number, self._last, future)
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._set_timer()
        try:
            await publish(
                self._connection.client,
                self._settings.subject,
                message.data,
                f"{self._inbox}.{waiting.number}",
                headers,
            )
        except (nats.errors.Error, OSError) as error:
            self._fail(faults.of_request(error, self._connection.address))
        return future

    async def _on_answer(self, answer: Msg) -> None:
        number = int(answer.subject.rpartition(".")[2])
        if not self._waiting or not self._waiting[0].number <= number <= self._waiting[-1].number:
            return  # it was settled without
        if answer.headers and answer.headers.get(Name.STATUS.value) == "503":
            self._fail(Interrupted(f"the stream {self._stream!r} does not answer: is it gone?"))
            return
        try:
            said = json.loads(answer.data)
            if "error" in said:
                if said["error"].get("err_code") == faults.ID_ON_ITS_WAY:
                    # Maybe never: a leader that was voted out keeps it in mind. Under another id it is
                    # another message, and fits only if the first one has not come.
                    self._salt = f".{secrets.token_hex(4)}"
                self._fail(self._of_answer(said["error"], number))
                return
            kept, again = int(said["seq"]), bool(said.get("duplicate"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._fail(Interrupted(f"an answer that can't be understood: {error}"))
            return
        waiting = self._waiting[number - self._waiting[0].number]
        if kept != waiting.last and self._alone:
            if again:
                # Known, but not where it belongs: it was kept once, and then deleted. Under another id it
                # is another message.
                self._salt = f".{secrets.token_hex(4)}"
            self._fail(Interrupted(f"kept as {kept}, and not as {waiting.last}"))
            return
        if not self._alone:
            if again and kept < waiting.last:
                self._salt = f".{secrets.token_hex(4)}"
                self._fail(Interrupted(f"known as {kept}, which is older than the newest"))
                return
            self._last = kept
        while self._waiting and self._waiting[0].number <= number:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_result(None)
        self._set_timer()

    def _of_answer(self, said: dict[str, object], number: int) -> BridgeError:
        address = self._connection.address
        try:
            APIError.from_error(said)
        except APIError as error:
            if error.err_code in faults.WRONG_LAST and number > self._waiting[0].number:
                # Refused since the one before is not kept; and of that one it says nothing.
                return faults.of_silence(address, f"{error.description} ({error.err_code})")
            return faults.of_request(error, address)
        except (KeyError, TypeError):
            pass
        return Interrupted(f"{address}: {said}")

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._movement.mark()
            self._timer = asyncio.get_running_loop().call_later(self._settings.ack_timeout, self._overdue)

    def _overdue(self) -> None:
        if self._movement.has_moved():
            self._set_timer()  # a large message is on its way, over a slow link
            return
        # If it was this process that did not get on, the answers are there, and will be read now.
        silence = faults.of_silence(
            self._connection.address, f"no acknowledgement for {self._settings.ack_timeout:g} s"
        )
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._fail, silence)

    def _interrupt(self, reason: str) -> None:
        self._fail(Interrupted(reason))

    def _fail(self, error: BridgeError) -> None:
        """Whatever is on its way, and whatever comes until resume(), fails."""
        try:
            self._connection.check()
        except BridgeError as final:
            error = final
        self._error = error
        waiting, self._waiting = self._waiting, deque()
        self._set_timer()
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(type(error)(str(error)))
                one.future.exception()  # nobody has to look at each of them

    async def close(self) -> None:
        self._interrupt("the outlet was closed")
        await self._connection.close()
