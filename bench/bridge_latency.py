"""How long is an event on its way over a bridge, at a fixed rate?

Event k is due at `start + k / rate`, and that is the time in it: a sender that is held up makes all events
behind it late, and nothing is omitted. The sender sleeps between two events, since on few cores one that
spins would take the core of somebody on the way; `late` says how much of a latency is its waking up.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench.bridge_bed import Bed
from bench.bridge_crew import dismissed, gathered
from bench.bridge_events import Clock, Times, goodbye, greeting
from bench.bridge_run import messages, once
from bench.bridge_ways import Sender, Way
from bench.latency import percentiles
from bench.stamped import message, repeat

AHEAD = 50_000_000  # ns from "go" to the first event
LONGEST = 2.0  # a sender that can't keep up stops after so many times the time that it should take
TIMER_SLACK = 29  # PR_SET_TIMERSLACK


def on_schedule(sender: Sender, size: int, rate: int, count: int) -> Times:
    """Send; how late each event was when its sending began."""
    late = np.zeros(count, np.int64)
    interval, clock = 1e9 / rate, time.perf_counter_ns
    start = clock() + AHEAD
    limit = start + int(LONGEST * interval * count)
    done = 0
    while done < count and (now := clock()) < limit:
        due = start + int(done * interval)
        if now < due:
            time.sleep((due - now) / 1e9)
            continue
        ready = min(count, int((now - start) / interval) + 1)
        times = [start + int(k * interval) for k in range(done, max(ready, done + 1))]
        late[done : done + len(times)] = now - np.array(times)
        sender.soon([message(each, size) for each in times])
        done += len(times)
    return late[:done]


def _send(way: Way, here: Bed, size: int, rate: int, count: int, control: Connection) -> None:
    with way.sending(here) as sender:
        control.send(os.getpid())
        repeat(lambda event: sender.soon([event]), greeting(size), control)
        ctypes.CDLL(None).prctl(TIMER_SLACK, 1)
        gc.disable()
        late = on_schedule(sender, size, rate, count)
        gc.enable()
        sender.soon([goodbye(len(late), size)])
        control.send(late)
        control.recv()
        sender.close()


def _receive(way: Way, here: Bed, control: Connection) -> None:
    seen = Clock(once("heard", control))
    way.receive(here, seen, True, lambda: control.send(os.getpid()))
    control.send(seen.latencies())
    control.recv()


def latency(way: Way, where: Path, size: int, rate: int, seconds: float) -> dict[str, Any]:
    """Percentiles in ns; cpu: ns an event, of each process. Raises Failed."""
    count = max(1, int(rate * seconds))
    with gathered(way, where, (_send, size, rate, count), (_receive,)) as crew:
        before = crew.cpu()
        crew.say("sender")
        late = crew.hear("sender")
        latencies = crew.hear("receiver")
        after = crew.cpu()
        told = dismissed(crew, way)
    return {
        **percentiles(latencies),
        "late_p50": float(np.median(late)),
        "late_p99": float(np.percentile(late, 99)),
        "sent": len(late),
        "planned": count,
        "cpu": {role: (after[role] - before[role]) / max(1, len(late)) * 1e9 for role in before},
        **messages(told.get("push")),
    }
