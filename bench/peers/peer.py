"""What a contestant looks like to the benchmarks: how it is opened, sent into and received from.

A `Peer` lives in the runner's process and goes to the processes of one sender and N readers as an argument of
spawn, so it holds plain values (and what multiprocessing knows how to hand over, such as its queues).

- `opened()` makes in the runner's process what must be there before both ends: a server, a segment, a file.
- `sending()` attaches as the one sender, and gives a `Sender`.
- `receiving(index)` attaches as reader number `index`, and gives an iterator over what comes, in the peer's
  fastest honest idiom: bytes or another buffer of the message's length, or None where there is nothing at
  this moment (a peer that polls). The iterator blocks, or gives None, for ever: the harness knows when to
  stop.

- `alone` says how the cost of a send can be told without a reader: freely, or in bursts that are drained in
  between, or not. If it is empty, a lossy peer sends freely and a lossless one takes no part.

Fan-out is the sender's business: where a peer has no fan-out of its own, the sender sends to N channels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

CACHED = 256 << 10  # bytes


@dataclass(frozen=True)
class Sender:
    """The two ways to send.

    `one` sends one message and returns when it is accepted (a lossless peer waits for room, a lossy one
    drops).
    `many(messages, count)` sends message k as `messages[k % len(messages)]`, in the fastest idiom; the
    number of messages is a power of two, and `count` a multiple of it or of 1,024, whichever is less.
    `ready` makes of the messages what `many` wants, before the clock starts: an array, for instance.
    """

    one: Callable[[Any], object]
    many: Callable[[Any, int], object]
    ready: Callable[[Sequence[bytes]], Any] = list


@dataclass
class Peer:
    """One contestant in one way of using it; `size` is the longest message, `readers` how many there are."""

    name: ClassVar[str]  # as in the tables: the library, and the idiom if there are several
    library: ClassVar[str]  # the distribution, for its version; "python" for the standard library
    needs: ClassVar[tuple[str, ...]] = ()  # modules; one that can't be imported makes a row that says so
    lossless: ClassVar[bool] = True  # the sender waits for readers; otherwise losses are counted
    waits: ClassVar[str] = "spins"  # "spins" or "sleeps" (or spins a little first) while nothing comes
    most_readers: ClassVar[int] = 1 << 30
    least_size: ClassVar[int] = 0
    greatest_size: ClassVar[int] = 1 << 30
    together: ClassVar[int] = 1  # events that one call sends or receives, at most
    prompt: ClassVar[bool] = False  # sends and gives one alone at once, though it can do many together
    batches: ClassVar[bool] = False  # `receiving` gives numpy arrays, a row an event; lossless peers only
    events: ClassVar[bool] = False  # `receiving` can give objects with the message as .data; lossless only
    lists: ClassVar[bool] = False  # `receiving` gives lists of messages; lossless peers only
    alone: ClassVar[str] = ""  # how it sends without a reader: "freely", "in bursts", "no", or ""
    folder: Path
    size: int
    readers: int
    handles: Any = field(default=None)  # what `opened` made, if children need it
    as_events: bool = False  # give those objects

    @classmethod
    def singly(cls) -> bool:
        """Does a message go out, and come in, by itself? What waits for a batch to be full has no latency."""
        return cls.together == 1 or cls.prompt

    @property
    def room(self) -> int:
        """Bytes of buffer, alike for every peer that can be told: 4 MiB, or 16 large messages."""
        return 4 << 20 if self.size < 16384 else 1 << (16 * self.size - 1).bit_length()

    @property
    def at_once(self) -> int:
        """Events that one call sends or receives: no more than stay in a core's own cache on their way."""
        return max(1, min(self.together, CACHED // max(self.size, 1)))

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        yield

    def sending(self) -> contextlib.AbstractContextManager[Sender]:
        raise NotImplementedError

    def receiving(self, index: int) -> contextlib.AbstractContextManager[Iterator[Any]]:
        raise NotImplementedError
