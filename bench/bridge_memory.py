"""Does memory stay bounded while nobody takes what comes over a bridge?

A writer goes on at a rate while pull is stopped (SIGSTOP), or else the lossless reader of the copy, so that
the copy is full and pull waits. Sampled: the memory of push, the server and pull, with each one's share of
what it shares (PSS: the rings it has mapped are in it) and without (USS).
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from bench.bridge_bed import Bed
from bench.bridge_crew import Crew, dismissed, gathered
from bench.bridge_events import Check, batches, goodbye, greeting
from bench.bridge_run import once
from bench.bridge_ways import Rings, Way
from bench.stamped import repeat

RING = 8 << 20
STOPPED = {"pull": "pull", "the reader": "receiver"}
WATCHED = ("push", "server", "pull")
TURN = 0.01  # seconds between two batches of the writer
EACH = 0.1  # between two samples


def _send(way: Way, here: Bed, size: int, rate: int, control: Connection) -> None:
    """At a rate, until told; then how many that were."""
    events = itertools.cycle([event for batch in batches(size) for event in batch])
    with way.sending(here) as sender:
        control.send(os.getpid())
        repeat(lambda event: sender.soon([event]), greeting(size), control)
        count, start = 0, time.perf_counter()
        while not control.poll(TURN):
            if due := int((time.perf_counter() - start) * rate) - count:
                sender.many(list(itertools.islice(events, min(due, rate))))
                count += min(due, rate)
        control.recv()
        sender.many([goodbye(count, size)])
        control.send(count)
        control.recv()
        sender.close()


def _receive(way: Way, here: Bed, size: int, control: Connection) -> None:
    seen = Check(size, once("heard", control))
    way.receive(here, seen, False, lambda: control.send(os.getpid()))
    control.send(seen.count)
    control.recv()


class Samples:
    """MB of each process, again and again."""

    def __init__(self, crew: Crew) -> None:
        self._processes = {role: crew.processes[role] for role in WATCHED}
        self.taken: list[dict[str, dict[str, float]]] = []

    def take(self) -> dict[str, dict[str, float]]:
        now = {}
        for role, process in self._processes.items():
            memory = process.memory_full_info()
            now[role] = {"pss": memory.pss / 1e6, "uss": memory.uss / 1e6, "rss": memory.rss / 1e6}
        self.taken.append(now)
        return now

    def during(self, seconds: float) -> list[dict[str, dict[str, float]]]:
        first, until = len(self.taken), time.monotonic() + seconds
        while True:
            self.take()
            if time.monotonic() >= until:
                return self.taken[first:]
            time.sleep(EACH)


def memory(where: Path, stopped: str, size: int, rate: int, seconds: float) -> list[dict[str, Any]]:
    """A row a process, in MB: before, in the middle, at the end, the most, and when all had come."""
    way = Rings(RING)
    with gathered(way, where, (_send, size, rate), (_receive, size)) as crew:
        crew.say("sender")
        samples = Samples(crew)
        before = samples.during(seconds / 3)[-5:]
        samples.taken.clear()
        victim = crew.processes[STOPPED[stopped]]
        victim.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            middle = samples.during(seconds / 2)[-1]
            end = samples.during(seconds / 2)[-1]
            took = time.monotonic() - begun
        finally:
            victim.send_signal(signal.SIGCONT)
        crew.say("sender")
        count = crew.hear("sender")
        if (came := crew.hear("receiver")) != count:
            raise SystemExit(f"{came} of {count} events came")
        after = samples.take()
        dismissed(crew, way)
    return [
        {
            "stopped": stopped,
            "process": role,
            "seconds": took,
            "came meanwhile": rate * took * (size + 16) / 1e6,
            **{
                kind: {
                    "before": median(each[role][kind] for each in before),
                    "middle": middle[role][kind],
                    "end": end[role][kind],
                    "most": max(each[role][kind] for each in samples.taken),
                    "after": after[role][kind],
                }
                for kind in ("pss", "uss", "rss")
            },
        }
        for role in WATCHED
    ]
