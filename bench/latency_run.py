"""What does one contestant's one-way latency look like at one rate? One run: its loops, and what they saw.

The sender has a schedule. Message k is due at `start + k * interval`; it is made while there is time, with
the time when it is *due* in it. The sender looks at the clock again and again until that moment and sends;
what is late it sends at once. So a sender that was held up makes all the messages behind it late, as it would
whoever waits for them: nothing is omitted. A reader looks at the clock first thing when it has a message, and
keeps both times. No garbage is collected meanwhile.

While there is much time left the sender lets go of the GIL between two looks: some libraries send from a
thread of their own. And a process is tied to its core when it is connected: threads that it has by then stay
free.
"""

from __future__ import annotations

import gc
import os
import select
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.peers import Peer
from bench.stamped import GOODBYE, HELLO, STAMP, heard_hello, message, pin, repeat, running, told

AHEAD = 50_000_000  # ns from "go" to the first message: the last greeting is read by then
MUCH = 5_000  # ns: more than letting go of the GIL takes
LONGEST = 2.0  # a sender that can't keep up stops after so many times the time that it should take

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """What was seen at one rate: times in ns, processor time as a part of a core."""

    latencies: Times  # of all readers, from when it was due to when it was there
    sent: int
    planned: int
    received: int  # by all readers
    late: Times  # how long after it was due the sender began to send
    sending: Times  # how long one call took
    sender_cpu: float
    reader_cpu: float  # the mean


def on_schedule(
    one: Callable[[Any], object], size: int, interval: float, count: int
) -> tuple[Times, Times, int]:
    """Send; how late each began and how long it took, and when the last was out."""
    late, took = array("q", bytes(8 * count)), array("q", bytes(8 * count))
    clock, pack, rest, let_go = time.perf_counter_ns, STAMP.pack, bytes(size - STAMP.size), select.poll().poll
    start = clock() + AHEAD
    limit = start + int(LONGEST * interval * count)
    done = count
    now = clock()
    for k in range(count):
        due = start + int(k * interval)
        data = pack(due) + rest
        while now < due - MUCH:
            let_go(0)
            now = clock()
        while now < due:
            now = clock()
        one(data)
        began, now = now, clock()
        late[k] = began - due
        took[k] = now - began
        if now > limit:
            done = k + 1
            break
    return np.array(late[:done], np.int64), np.array(took[:done], np.int64), now


def _sender(peer: Peer, core: int | None, interval: float, count: int, control: Connection) -> None:
    with peer.sending() as sender:
        control.send("attached")
        repeat(sender.one, message(HELLO, peer.size), control)
        pin(core)
        gc.disable()
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        late, took, end = on_schedule(sender.one, peer.size, interval, count)
        used = (time.process_time_ns() - cpu) / (end - start)
        gc.enable()
        control.send((late, took, used))
        repeat(sender.one, message(GOODBYE, peer.size), control)
        control.recv()


def taken(source: Iterator[Any], count: int, crowded: bool) -> tuple[Times, Times]:
    """When each was due and when it came, until all are there or the sender says goodbye."""
    due, came = array("q", bytes(8 * count)), array("q", bytes(8 * count))
    clock, unpack, give_way = time.perf_counter_ns, STAMP.unpack_from, os.sched_yield
    got = misses = 0
    for data in source:
        if data is None:
            misses += 1
            if crowded and not misses & 63:
                give_way()  # somebody else may need this core
            continue
        now = clock()
        stamp = unpack(data)[0]
        if stamp > 0:
            due[got] = stamp
            came[got] = now
            got += 1
            if got == count:
                break
        elif stamp == GOODBYE:
            break
    return np.array(due[:got], np.int64), np.array(came[:got], np.int64)


def _reader(peer: Peer, index: int, core: int | None, count: int, control: Connection) -> None:
    crowded = core is None
    with peer.receiving(index) as source:
        control.send("attached")
        heard_hello(source)
        pin(core)
        control.send("heard")
        gc.disable()
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        due, came = taken(source, count, crowded)
        used = (time.process_time_ns() - cpu) / (time.perf_counter_ns() - start)
        gc.enable()
        control.send((due, came, used))
        control.recv()  # the sender has done with us


def run(kind: type[Peer], folder: Path, size: int, readers: int, rate: int, seconds: float) -> Run:
    """One run. Raises Failed."""
    count, interval = max(1, int(rate * seconds)), 1e9 / rate
    with running(kind, folder, size, readers, (_sender, interval, count), (_reader, count)) as (sender, ends):
        sender.send("go")
        ((late, sending, sender_cpu),) = told([sender])
        seen = told(ends)
        for end in [sender, sender, *ends]:
            end.send("enough")
    return Run(
        latencies=np.concatenate([came - due for due, came, _ in seen]),
        sent=len(late),
        planned=count,
        received=sum(len(due) for due, _, _ in seen),
        late=late,
        sending=sending,
        sender_cpu=sender_cpu,
        reader_cpu=float(np.mean([used for _, _, used in seen])),
    )


def harness(size: int, rate: int, seconds: float) -> Times:
    """The latency of nothing: the sender's loop with a native call that does nothing, and the next clock.

    So much of every contestant's latency is the harness: the rest of the look at the clock that ends the
    waiting, a call, and a look at the clock.
    """
    interval, count = 1e9 / rate, max(1, int(rate * seconds))
    late, took, _ = on_schedule(id, size, interval, count)
    return late + took
