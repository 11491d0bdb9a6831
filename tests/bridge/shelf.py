"""A transport in memory, for states that a server shows only in unlucky moments: what is kept is a list.

Also an example of how little a transport needs. Faults are planted: `fails` is asked before each message is
kept and may raise what a server would; `odd` comes between what is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ringlog.bridge.message import Header, Message
from ringlog.bridge.transport import Notice


@dataclass
class Shelf:
    """The messages of one subject, and what was asked of it."""

    messages: list[Message] = field(default_factory=list)
    limit: int = 4096
    fails: Callable[[Message], None] = lambda _message: None
    odd: dict[int, Message] = field(default_factory=dict)  # delivered out of order, before the k-th message
    interrupts: list[Exception] = field(default_factory=list)  # raised by receive, one a call
    resumed: int = 0
    forgets: bool = False  # to deliver what came after a seek
    sought: list[int] = field(default_factory=list)
    done: int = 0
    connected: bool = True
    asked: Callable[[], Awaitable[None]] | None = None  # awaited before it says what is kept
    address: str = "shelf"

    def outlet(self) -> ShelfOutlet:
        return ShelfOutlet(self)

    def inlet(self, target: str) -> ShelfInlet:
        return ShelfInlet(self)

    def events(self) -> int:
        return sum(message.header.count for message in self.messages)


class ShelfOutlet:
    reconnects = 0

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._broken: Exception | None = None
        self.limit = shelf.limit
        self.in_flight = 16

    @property
    def connected(self) -> bool:
        return self._shelf.connected

    async def open(self, notice: Notice) -> None:
        self.limit = self._shelf.limit

    async def resume(self) -> Header | None:
        while not self._shelf.connected:
            await asyncio.sleep(0.005)
        self._shelf.resumed += 1
        self._broken = None
        return self._shelf.messages[-1].header if self._shelf.messages else None

    async def send(self, message: Message) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._broken is None:
            try:
                self._shelf.fails(message)
            except Exception as error:
                self._broken = error
        if self._broken is not None:
            future.set_exception(self._broken)
            return future
        self._shelf.messages.append(message)
        asyncio.get_running_loop().call_soon(lambda: future.done() or future.set_result(None))
        return future

    async def close(self) -> None:
        pass


class ShelfDelivery:
    def __init__(self, shelf: Shelf, message: Message) -> None:
        self._shelf = shelf
        self.header, self.data = message

    async def done(self) -> None:
        self._shelf.done += 1


class ShelfInlet:
    reconnects = 0

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._next = 0
        self._seen = 0  # messages that were there at the last seek

    @property
    def connected(self) -> bool:
        return self._shelf.connected

    async def open(self, notice: Notice) -> None:
        pass

    async def ends(self) -> tuple[Header, Header] | None:
        if self._shelf.asked is not None:
            await self._shelf.asked()
        kept = self._shelf.messages
        return (kept[0].header, kept[-1].header) if kept else None

    async def seek(self, sequence: int, *, lasting: bool = True) -> None:
        if lasting:
            self._shelf.sought.append(sequence)
        kept = self._shelf.messages
        self._seen = len(kept)
        stream = kept[-1].header.stream if kept else None
        ours = [k for k, each in enumerate(kept) if each.header.stream == stream]
        holds = [k for k in ours if kept[k].header.sequence <= sequence < kept[k].header.next]
        behind = [k for k in ours if kept[k].header.sequence >= sequence]
        self._next = (holds or behind or [len(kept)])[0]

    async def forget(self, target: str) -> None:
        pass

    async def receive(self, timeout: float) -> ShelfDelivery | None:
        if self._shelf.interrupts:
            raise self._shelf.interrupts.pop(0)
        if self._next in self._shelf.odd:
            return ShelfDelivery(self._shelf, self._shelf.odd.pop(self._next))
        if self._next >= (self._seen if self._shelf.forgets else len(self._shelf.messages)):
            await asyncio.sleep(min(timeout, 0.005))
            return None
        self._next += 1
        return ShelfDelivery(self._shelf, self._shelf.messages[self._next - 1])

    async def close(self) -> None:
        pass


def sent(shelf: Shelf) -> list[tuple[int, int]]:
    return [(each.header.sequence, each.header.next) for each in shelf.messages]


def chain(shelf: Shelf, count: int, *, ended: bool = True) -> None:
    """Each event once, in order, and the end."""
    due = 0
    for message in shelf.messages:
        assert message.header.sequence == due
        due = message.header.next
    assert due == count
    assert shelf.messages[-1].header.ended == ended
