"""One connection to NATS that is made again by itself, and says when it was lost.

The client does the reconnecting. What is added: the first connection fails at once with a reason, a dead
link is noticed and cut, and whatever waits for an answer is interrupted when the link is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError
from nats.js.manager import JetStreamManager

from ringlog.bridge.errors import BadSetup, BridgeError, ConnectFailed, Interrupted, NotAuthorized
from ringlog.bridge.nats import faults
from ringlog.bridge.nats.access import Access
from ringlog.bridge.nats.bulk import BulkParser
from ringlog.bridge.nats.joining import (
    FIRST_WAIT,
    LONGEST_WAIT,
    NO_LIMIT,
    Callbacks,
    check_tls,
    join,
    part,
)
from ringlog.bridge.nats.link import Movement, abort, wire_of
from ringlog.bridge.transport import Notice

T = TypeVar("T")
GRACE = 0.1  # seconds to read what is there, if it was this process that did not get on for a while
PAUSE = 0.2  # seconds before an immediate refusal is handed on: who gets it asks again


class Connection:
    """Use `client` and `manager` only between `ready()` and the next loss; they may be others afterwards."""

    client: Client
    manager: JetStreamManager

    def __init__(
        self, access: Access, role: str, subject: str, patience: float, on_loss: Callable[[str], object]
    ) -> None:
        """role: "push", "pull" or "status", for the server's lists. on_loss: called with the reason, at once,
        when the connection is lost or is of no use."""
        self._access = access
        self._name = f"ringlog {role} {subject}"
        self._patience = patience
        self._on_loss = on_loss
        self._notice: Notice = lambda _: None
        self._up = asyncio.Event()  # connected, or never again
        self._failure: BridgeError | None = None
        self._last_error = "the connection was closed"
        self._lost: asyncio.Future[None] | None = None
        self._wire: asyncio.WriteTransport | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._answered = False  # by JetStream, at any time
        self.connected = False
        self.reconnects = 0

    @property
    def address(self) -> str:
        return self._access.address

    async def open(self, notice: Notice) -> None:
        """Raises ConnectFailed, NotAuthorized, BadSetup within a few times connect_timeout."""
        self._notice = notice
        await self._join()
        self._connected()
        self._start(self._watch())

    async def ready(self) -> None:
        """Wait until there is a connection. Raises what keeps it from ever being there again."""
        await self._up.wait()
        self.check()

    def check(self) -> None:
        """Raises what keeps the connection from ever being there again."""
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def movement(self) -> Movement:
        """Of the link, as it is at the time."""
        return Movement(lambda: self.client)

    @property
    def cut_off(self) -> bool:
        """Did the link that was lost last end within a large message?"""
        parser = self.client._ps
        return isinstance(parser, BulkParser) and parser.cut_off

    async def ask(self, request: Callable[[JetStreamManager], Awaitable[T]]) -> T:
        """The answer to a request to JetStream.

        Raises Interrupted when there is no connection, it is lost, or no answer comes; NotFoundError of the
        client; BadSetup, Full, NotAuthorized.
        """
        self.check()
        lost: asyncio.Future[Any] | None = self._lost
        if lost is None or not self.connected:
            raise Interrupted(f"{self.address} is not connected")
        movement = self.movement()
        movement.mark()
        asking: asyncio.Future[Any] = asyncio.ensure_future(request(self.manager))
        try:
            while not asking.done():
                await asyncio.wait(
                    {asking, lost}, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
                )
                if asking.done():
                    break
                if lost.done():
                    self.check()
                    raise Interrupted(f"{self.address}: {self._last_error}")
                if not movement.has_moved():
                    raise Interrupted(f"{self.address} gave no answer in time")
            answer: T = asking.result()
            self._answered = True
            return answer
        except NotFoundError:
            self._answered = True
            raise
        except ServiceUnavailableError as error:
            await asyncio.sleep(PAUSE)
            if error.err_code is None:  # nobody listens where JetStream would
                if (
                    self._answered
                ):  # but somebody did: it is beyond a link that is lost, or changes its leader
                    raise Interrupted(f"{self.address}: JetStream does not answer now") from None
                raise BadSetup(
                    f"{self.address} has no JetStream: start nats-server with -js, or check the domain"
                ) from None
            raise faults.of_request(error, self.address) from None
        except (APIError, nats.errors.Error, OSError) as error:
            raise faults.of_request(error, self.address) from None
        finally:
            asking.cancel()
            with contextlib.suppress(BaseException):
                asking.exception()

    def drop(self, reason: str) -> None:
        """Cut a link over which nothing comes any more; a new one is made."""
        if self.connected and not self._closing:
            self._last_error = reason
            self._disconnected()
            abort(self._wire)
            self._start(self.client.force_reconnect())

    async def close(self) -> None:
        """Let go of it; within about a second, whatever state it is in."""
        self._closing = True
        self._disconnected()
        for task in list(self._tasks):
            task.cancel()
        if hasattr(self, "client"):
            await part(self.client)

    async def _join(self) -> None:
        callbacks = Callbacks(self._on_error, self._on_disconnected, self._on_reconnected, self._on_closed)
        self.client = await join(self._access, self._name, callbacks)
        prefix = f"$JS.{self._access.domain}.API" if self._access.domain else "$JS.API"
        self.manager = JetStreamManager(self.client, prefix=prefix, timeout=NO_LIMIT)

    async def _on_error(self, error: Exception) -> None:
        if faults.is_denied(error):
            self._fail(NotAuthorized(f"{self.address} does not let this user do it: {faults.words(error)}"))
        elif faults.is_refusal(error):
            self._fail(faults.of_connecting(error, self.address, self._access.connect_timeout))
        else:
            self._last_error = faults.words(error)

    async def _on_disconnected(self) -> None:
        if self.client.last_error is not None:
            self._last_error = faults.words(self.client.last_error)
        self._disconnected()

    async def _on_reconnected(self) -> None:
        try:
            check_tls(self.client, self._access)
        except ConnectFailed as error:
            self._fail(error)
            return
        self.reconnects += 1
        self._connected()
        self._notice(f"connected again to {self.address}")

    async def _on_closed(self) -> None:
        """By the client itself: it gives up after some errors that the server says."""
        if self._closing or self._failure is not None:
            return
        error = self.client.last_error
        if error is not None and faults.is_refusal(error):
            self._fail(faults.of_connecting(error, self.address, self._access.connect_timeout))
            return
        self._last_error = faults.words(error) if error is not None else self._last_error
        self._disconnected()
        self._start(self._renew())

    async def _renew(self) -> None:
        wait = FIRST_WAIT
        while True:
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(wait * 2, LONGEST_WAIT)
            try:
                await self._join()
            except ConnectFailed as error:
                self._last_error = str(error)
            except BridgeError as error:
                self._fail(error)
                return
            else:
                await self._on_reconnected()
                return

    def _connected(self) -> None:
        self.connected = True
        self._lost = asyncio.get_running_loop().create_future()
        self._wire = wire_of(self.client)
        self._up.set()

    def _disconnected(self) -> None:
        if not self.connected:
            return
        self.connected = False
        if self._failure is None:
            self._up.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        self._on_loss(self._last_error)
        if not self._closing and self._failure is None:
            self._notice(f"disconnected from {self.address}: {self._last_error}")

    def _fail(self, error: BridgeError) -> None:
        """This will not get better by itself."""
        if self._failure is None and not self._closing:
            self._failure = error
            self._last_error = str(error)
            self._disconnected()
            self._up.set()
            self._start(part(self.client))

    async def _watch(self) -> None:
        """Ask whether the other side is there. Its silence is all that tells of some cuts."""
        while True:
            await asyncio.sleep(self._patience / 2)
            if not self.connected:
                abort(self._wire)  # the old one, if the client still waits for it
                continue
            await self._ping(self.client, self._lost)

    async def _ping(self, client: Client, lost: asyncio.Future[None] | None) -> None:
        # Without a time limit of the client's: an answer that comes after it would stop the client's reading.
        pong = asyncio.ensure_future(client.rtt(NO_LIMIT))
        movement = Movement(lambda: client)
        try:
            while lost is self._lost and self.connected:
                heard = client.stats["in_msgs"]
                movement.mark()
                await asyncio.wait({pong}, timeout=self._patience)
                await asyncio.wait({pong}, timeout=GRACE)
                if pong.done():
                    return
                # A slow link that is full of messages may hold up the answer: then there are messages.
                quiet = client.stats["in_msgs"] == heard and not movement.has_moved()
                if lost is self._lost and quiet:
                    self.drop(f"no sign of the server for {self._patience:g} s")
        finally:
            pong.cancel()
            if pong.done() and not pong.cancelled():
                pong.exception()  # the client is closing, and says so by its callbacks

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._closing:
            self._fail(ConnectFailed(f"{self.address}: {error}"))
