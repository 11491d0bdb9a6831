"""What does one reader use while nothing comes, and how soon is it awake? One run: its loops, what it saw.

After the greeting the sender is silent for a few seconds: what the reader's process uses from the last
greeting to the first message behind the silence, all its threads and one wake-up included, is idle time. Then
a message comes every 50 ms or so, at odd moments, each with the time just before it was sent.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.peers import Peer
from bench.stamped import GOODBYE, HELLO, STAMP, message, pin, repeat, running, told

SETTLE = 0.3  # seconds of silence before the idle time begins


@dataclass
class Seen:
    """What a reader saw; called with each message, it says whether that was the last."""

    control: Connection
    core: int | None
    wakes: int
    latencies: list[int] = field(default_factory=list)  # ns, of the wake-ups behind the first
    first: int = 0  # of the message that ends the silence
    marks: list[tuple[int, int]] = field(default_factory=list)  # (clock, processor time), ns

    def __call__(self, data: Any) -> bool:
        now = time.perf_counter_ns()
        stamp = STAMP.unpack_from(data)[0]
        if stamp == HELLO:
            if not self.marks:
                pin(self.core)  # threads that the library has by now stay free
                self.control.send("heard")
                self.marks.append((0, 0))
            self.marks[0] = (now, time.process_time_ns())
            return False
        if stamp == GOODBYE:
            return True
        if not self.first:
            self.first = now - stamp
            self.marks.append((now, time.process_time_ns()))
        else:
            self.latencies.append(now - stamp)
        if len(self.latencies) < self.wakes:
            return False
        self.marks.append((now, time.process_time_ns()))
        return True


async def awaited(source: AsyncIterator[Any], seen: Seen) -> None:
    async for data in source:
        if seen(data):
            break


def _reader(peer: Peer, index: int, core: int | None, wakes: int, control: Connection) -> None:
    seen = Seen(control, core, wakes)
    with peer.receiving(index) as source:
        control.send("attached")
        if isinstance(source, AsyncIterator):
            asyncio.run(awaited(source, seen))
        else:
            for data in source:
                if data is not None and seen(data):
                    break
        control.send((seen.latencies, seen.first, seen.marks))
        control.recv()  # the sender has done with us


def _sender(peer: Peer, core: int | None, idle: float, apart: float, wakes: int, control: Connection) -> None:
    dice = random.Random(1)
    with peer.sending() as sender:
        control.send("attached")
        repeat(sender.one, message(HELLO, peer.size), control)
        pin(core)
        time.sleep(SETTLE)
        sender.one(message(HELLO, peer.size))
        time.sleep(idle)
        sender.one(message(time.perf_counter_ns(), peer.size))
        for _ in range(wakes):
            time.sleep(dice.uniform(0.8, 1.2) * apart)
            sender.one(message(time.perf_counter_ns(), peer.size))
        control.send("sent")
        repeat(sender.one, message(GOODBYE, peer.size), control)
        control.recv()


@dataclass(frozen=True)
class Idle:
    idle_cpu: float  # as a part of a core
    wake_cpu: float  # ns a wake-up
    first: int  # ns, the wake-up behind the long silence
    latencies: list[int]  # ns, the others


def run(kind: type[Peer], folder: Path, size: int, idle: float, apart: float, wakes: int) -> Idle:
    """One run. Raises Failed."""
    with running(kind, folder, size, 1, (_sender, idle, apart, wakes), (_reader, wakes)) as (sender, ends):
        sender.send("go")
        told([sender])
        ((latencies, first, marks),) = told(ends)
        for end in [sender, sender, *ends]:
            end.send("enough")
    (quiet, quiet_cpu), (loud, loud_cpu), *last = marks
    (_, end_cpu) = last[0] if last else (loud, loud_cpu)
    woken = max(1, len(latencies))
    return Idle((loud_cpu - quiet_cpu) / (loud - quiet), (end_cpu - loud_cpu) / woken, first, latencies)
