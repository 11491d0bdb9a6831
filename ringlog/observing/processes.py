"""The processes behind slots: name, processor time and memory, from one round of looks to the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from ringlog import liveness


@dataclass(frozen=True)
class ProcessSample:
    """A process between two samples.

    cpu: processor time by time, 1.0 is one core; None at the first look. cpu_seconds: processor time since it
    started. memory: bytes that it shares with nobody; what it has mapped of rings is not in it. resident: all
    of its bytes that are in memory, as other tools show them: with the pages of rings, and those twice, as
    each ring is mapped twice.
    """

    name: str
    cpu: float | None
    cpu_seconds: float
    memory: int
    resident: int


@dataclass(frozen=True)
class _Seen:
    process: psutil.Process
    when: float
    sample: ProcessSample


class ProcessTable:
    """Looks processes up, each at most once a round."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._before: dict[liveness.Identity, _Seen] = {}
        self._now: dict[liveness.Identity, _Seen | None] = {}

    def next_round(self) -> None:
        """What is looked up from now on is compared with what was looked up since the last call."""
        self._before = {identity: seen for identity, seen in self._now.items() if seen is not None}
        self._now = {}

    def look(self, identity: liveness.Identity) -> ProcessSample | None:
        """This very process; None if it is gone, or can't be seen from here."""
        if identity not in self._now:
            self._now[identity] = self._look(identity)
        seen = self._now[identity]
        return None if seen is None else seen.sample

    def _look(self, identity: liveness.Identity) -> _Seen | None:
        sighting = liveness.seen_as(identity)
        if sighting is None:
            return None
        before = self._before.get(identity)
        try:
            process = before.process if before else psutil.Process(identity.pid)
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            return None
        when, spent = self._monotonic(), times.user + times.system
        cpu = None
        if before is not None and when > before.when:
            cpu = max(0.0, spent - before.sample.cpu_seconds) / (when - before.when)
        private = max(0, memory.rss - memory.shared)
        return _Seen(process, when, ProcessSample(sighting.name, cpu, spent, private, memory.rss))
