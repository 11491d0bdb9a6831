"""What runs in processes of its own: one function, or a receiver that tells when it has seen the last of it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")
CONTEXT = multiprocessing.get_context("spawn")


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns, called in a process of its own."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        return pool.submit(function, *arguments).result()


def report(done: Any, told: Any = None) -> None:
    """The receiver's last word: the time of its last check, and what else it has to tell."""
    done.send((time.perf_counter_ns(), told))


def exchange(
    target: Callable[..., None], arguments: tuple[Any, ...], send: Callable[[], None]
) -> tuple[float, Any]:
    """Start a receiver, wait until it says "ready", send. Seconds from then to its last check, and what it told.

    The receiver gets the arguments and a connection, for "ready" and for `report`.
    """
    ours, theirs = CONTEXT.Pipe()
    receiver = CONTEXT.Process(target=target, args=(*arguments, theirs))
    receiver.start()
    theirs.close()
    if ours.recv() != "ready":
        raise SystemExit("the receiver did not start")
    start = time.perf_counter_ns()  # CLOCK_MONOTONIC: the same in both processes
    send()
    end, told = ours.recv()
    receiver.join()
    return (end - start) / 1e9, told
