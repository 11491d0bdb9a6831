"""How much goes over a bridge? One run of one way at full speed, and of the server by itself."""

from __future__ import annotations

import itertools
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import bridge_raw
from bench.bridge_bed import ALL, Bed, bed
from bench.bridge_crew import Crew, dismissed, gathered
from bench.bridge_events import TOGETHER, Check, batches, goodbye, greeting
from bench.bridge_ways import Way
from bench.processes import CONTEXT
from bench.stamped import repeat

ENTRY = 16  # bytes that an event takes in a ring, beside its data
Sample = dict[str, Any]


def once(word: Any, control: Connection) -> Any:
    """A function that says a word when it is called first."""
    left = [word]
    return lambda: control.send(left.pop()) if left else None


def _send(way: Way, here: Bed, size: int, seconds: float, control: Connection) -> None:
    lists = batches(size)
    with way.sending(here) as sender:
        control.send(os.getpid())
        repeat(lambda event: sender.soon([event]), greeting(size), control)
        count, start = 0, time.perf_counter_ns()
        until = start + int(seconds * 1e9)
        for events in itertools.cycle(lists):
            if time.perf_counter_ns() >= until:
                break
            sender.many(events)
            count += TOGETHER
        sender.many([goodbye(count, size)])
        control.send((start, count))
        control.recv()
        sender.close()


def _receive(way: Way, here: Bed, size: int, control: Connection) -> None:
    seen = Check(size, once("heard", control))
    way.receive(here, seen, False, lambda: control.send(os.getpid()))
    control.send((seen.end, seen.count))
    control.recv()


def throughput(way: Way, where: Path, size: int, seconds: float) -> Sample:
    """From the first send to the last check. cpu: ns an event, of each process. Raises Failed."""
    with gathered(way, where, (_send, size, seconds), (_receive, size)) as crew:
        before = crew.cpu()
        crew.say("sender")
        start, count = crew.hear("sender")
        end, _ = crew.hear("receiver")
        after = crew.cpu()
        told = dismissed(crew, way)
    took = (end - start) / 1e9
    return {
        "events": count,
        "seconds": took,
        "rate": count / took,
        "megabytes": count * size / took / 1e6,
        "cpu": {role: (after[role] - before[role]) / count * 1e9 for role in before},
        **messages(told.get("push")),
    }


def messages(push: dict[str, Any] | None) -> Sample:
    """What push says of its messages: how many there were, and how large they were."""
    if push is None:
        return {}
    return {"messages": push["messages"], "message": push["bytes"] / max(1, push["messages"])}


def raw(where: Path, size: int, seconds: float) -> Sample:
    """The server by itself: bytes from the first send to the last byte. cpu: ns a byte. Raises Failed."""
    received, told = CONTEXT.Pipe(duplex=False)
    with bed(where, ALL) as here, Crew(here) as crew:
        bridge_raw.prepare(here)
        crew.start("receiver", bridge_raw.count, here, size, told)
        crew.start("sender", bridge_raw.publish, here, size, seconds, received)
        before = crew.cpu()
        crew.say("sender")
        start, sent = crew.hear("sender")
        end, total = crew.hear("receiver")
        after = crew.cpu()
        crew.say("sender")
        crew.say("receiver")
    took = (end - start) / 1e9
    return {
        "events": sent,
        "seconds": took,
        "bytes": total,
        "megabytes": total / took / 1e6,
        "message": size,
        "cpu": {role: (after[role] - before[role]) / total * 1e9 for role in before},
    }
