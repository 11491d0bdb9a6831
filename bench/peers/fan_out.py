"""A sender of messages one by one into one channel, or into one for each reader."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from bench.peers.peer import Sender


def into(sends: Sequence[Callable[[Any], object]]) -> Sender:
    """Every message goes by every one of these calls, one after the other."""
    if len(sends) == 1:  # no loop for nothing
        only = sends[0]

        def alone(messages: Sequence[bytes], count: int) -> None:
            for message in itertools.islice(itertools.cycle(messages), count):
                only(message)

        return Sender(only, alone)

    def one(message: Any) -> None:
        for send in sends:
            send(message)

    def many(messages: Sequence[bytes], count: int) -> None:
        for message in itertools.islice(itertools.cycle(messages), count):
            for send in sends:
                send(message)

    return Sender(one, many)
