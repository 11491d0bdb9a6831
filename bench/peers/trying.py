"""For peers whose send says False while there is no room: try again, and let others run in between."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

from bench.peers.peer import Sender


def insisting(sends: Sequence[Callable[[Any], bool]]) -> Sender:
    """A sender of each message to every one of some channels."""
    pause = os.sched_yield

    def one(message: Any) -> None:
        for send in sends:
            while not send(message):
                pause()

    def many(messages: Sequence[bytes], count: int) -> None:
        source = itertools.islice(itertools.cycle(messages), count)
        if len(sends) == 1:  # saves the inner loop
            (send,) = sends
            for message in source:
                while not send(message):
                    pause()
            return
        for message in source:
            for send in sends:
                while not send(message):
                    pause()

    return Sender(one, many)
