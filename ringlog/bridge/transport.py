"""What a transport has to do: the small protocol behind which NATS is, and another could be, in one file.

A transport keeps messages under one name (a subject, a topic, a key), in order, for longer than the two ends
live. push and pull ask it where it stands and trust nothing else: neither remembers what it has sent. So a
transport needs no transactions, and may deliver twice; what it must not do is to change the order of what
was sent, or to say that it has what it has not.

All methods are coroutines of one event loop. Whatever depends on the connection raises Interrupted when it is
lost, after which the transport connects again by itself; and NotAuthorized, BadSetup, ConnectFailed where
trying again would not help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringlog.bridge.message import Header, Message

Notice = Callable[[str], object]


class Outlet(Protocol):
    """Where push sends."""

    limit: int  # bytes of a message's data, at most; known once it is open
    in_flight: int  # messages that may wait to be kept at once

    @property
    def connected(self) -> bool:
        """Is there a connection just now?"""

    @property
    def reconnects(self) -> int:
        """How often it was made again."""

    async def open(self, notice: Notice) -> None:
        """Connect, and make what messages are kept in if it is missing. notice: told in one line what a
        person may want to know: disconnected, connected again, and why."""

    async def resume(self) -> Header | None:
        """The header of the newest message that is kept, or None; waits for the connection if it is lost.

        What was in flight before is settled: its futures are done, and it is kept or it never will be.
        """

    async def send(self, message: Message) -> asyncio.Future[None]:
        """Hand over the next message; the future is done when it is kept (by then so are all before it).

        The future, or send itself, raises Interrupted, Full, or what is for good. After that nothing that was
        sent later is kept either, until resume().
        """

    async def close(self) -> None:
        """Let go of the connection. Nothing is waited for."""


class Delivery(Protocol):
    """A message that has come."""

    header: Header
    data: bytes  # these, and nothing that can change: what was judged is what is appended

    async def done(self) -> None:
        """It need not come again. Best effort: if this is lost, it comes again."""


class Inlet(Protocol):
    """Where pull receives."""

    @property
    def connected(self) -> bool:
        """Is there a connection just now?"""

    @property
    def reconnects(self) -> int:
        """How often it was made again."""

    async def open(self, notice: Notice) -> None:
        """Connect. Waits for what messages are kept in, if push has not made it yet: see `ends`."""

    async def ends(self) -> tuple[Header, Header] | None:
        """The headers of the oldest and the newest message that are kept; None: there is none (yet)."""

    async def seek(self, sequence: int, *, lasting: bool = True) -> None:
        """Let the next message that is received be the one which has this event of the newest stream, or else
        the first one behind it, or the next one that comes. What was on its way before comes no more.

        lasting: where messages are kept only for those who want them, be remembered as one of those, for days
        after the connection is gone; without, for a minute, by whoever has nowhere to put them yet.
        """

    async def forget(self, target: str) -> None:
        """The copy that was fed under that name is gone for good: nothing need be kept for it."""

    async def receive(self, timeout: float) -> Delivery | None:
        """The next message, waiting for it up to `timeout` seconds; None if there was none in time."""

    async def close(self) -> None:
        """Let go of the connection. What was not done() will come again."""


class Transport(Protocol):
    """One name at one server, as push and pull take it."""

    @property
    def address(self) -> str:
        """For people: where it leads to, without secrets."""

    def outlet(self) -> Outlet:
        """A new connection to send by."""

    def inlet(self, target: str) -> Inlet:
        """A new connection to receive by. target: 32 hex digits that name the copy that is fed by it, always
        the same for the same copy."""
