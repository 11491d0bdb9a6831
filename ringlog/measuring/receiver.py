"""The process that receives: one for the whole run, told over a connection what comes next."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import struct
import threading
import time
from array import array
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import ringlog
from ringlog.measuring import carriers

STAMP = struct.Struct("<q")  # when a message was due, on the clock that all processes share


@dataclass(frozen=True)
class Rings:
    """One for throughput, and one for each way of waiting: their readers must not wait for each other."""

    stream: str
    spinning: str
    woken: str


def serve(control: Connection, data: Connection, rings: Rings) -> None:
    """Until told to stop: receive what is announced, and say when the last of it was there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sender, who ends this process
    threading.Thread(target=_end_with_the_sender, daemon=True).start()
    with (
        ringlog.Reader(rings.stream, lossless=True) as stream,
        ringlog.Reader(rings.spinning, lossless=True, wait="spin") as spinning,
        ringlog.Reader(rings.woken, lossless=True, wait="sleep") as woken,
    ):
        receive = {
            "ring": carriers.receive_ring(stream),
            "batches": carriers.receive_batches(stream),
            "pipe": carriers.receive_pipe(data),
        }
        take = {
            "spinning": carriers.next_of_ring(spinning),
            "woken": carriers.next_of_ring(woken),
            "pipe": data.recv_bytes,
        }
        gc.disable()
        control.send("ready")
        while (order := control.recv()) is not None:
            kind, name, count, size = order
            control.send("ready")
            if kind == "throughput":
                wrong = receive[name](count, size)
                control.send((time.perf_counter_ns(), wrong))
            else:
                control.send(_latencies(take[name], count))


def _end_with_the_sender() -> None:
    """If that is killed: nobody else would end the wait for an event."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _latencies(take: Any, count: int) -> array[int]:
    """Nanoseconds from when each was due until it was here."""
    found, clock, unpack = array("q", bytes(8 * count)), time.perf_counter_ns, STAMP.unpack_from
    for number in range(count):
        data = take()
        found[number] = clock() - unpack(data)[0]
    return found
