"""How soon could a message be there at all? What two C processes get on the same two cores."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import ringlog
from bench.floor import build
from bench.latency_run import Times

LIMIT = 120.0  # seconds


class Floors:
    """The compiled programs, and the two cores that they run on."""

    def __init__(self, folder: Path) -> None:
        self._programs = {name: str(build(folder, name)) for name in ("pingpong", "oneway")}
        cores = sorted(os.sched_getaffinity(0))
        self._cores = [str(cores[0]), str(cores[1 % len(cores)])]

    def bounce(self, trips: int, each: int) -> tuple[float, float]:
        """p50 and p99 of one way of a cache line, ns, with a look at the clock every `each` trips."""
        done = self._run("pingpong", *self._cores, str(trips), str(each))
        half, most = map(float, done.split())
        return half, most

    def through_ring(self, directory: Path, size: int, rate: int, events: int, pausing: bool) -> Times:
        """The latencies of events through a ring, from C to C, on latency_run's schedule."""
        with tempfile.TemporaryDirectory(dir=directory, prefix="latency-") as folder:
            ring = Path(folder) / "ring"
            ringlog.create(ring, 4 << 20)
            try:
                semaphore = f"/ringlog-{ring.read_bytes()[144:160].hex()}"
                numbers = [str(size), str(rate), str(events), *self._cores, str(int(pausing))]
                done = self._run("oneway", str(ring), semaphore, *numbers)
            finally:
                ringlog.unlink(ring)
        return np.array(done.split(), np.int64)

    def _run(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._programs[name], *arguments], capture_output=True, text=True, check=True, timeout=LIMIT
        )
        return done.stdout
