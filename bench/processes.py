"""What runs in a process of its own: a function, or a receiver that tells when it has seen the last of it."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def receiving(target: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Any]:
    """A receiver that is ready, and the connection by which it tells things.

    It gets the arguments and the other end, says "ready", and ends by itself.
    """
    ours, theirs = CONTEXT.Pipe()
    receiver = CONTEXT.Process(target=target, args=(*arguments, theirs))
    receiver.start()
    theirs.close()
    try:
        if ours.recv() != "ready":
            raise SystemExit("the receiver did not start")
        yield ours
    except BaseException:
        receiver.terminate()
        raise
    finally:
        receiver.join()
        ours.close()


def exchange(
    target: Callable[..., None], arguments: tuple[Any, ...], send: Callable[[], None]
) -> tuple[float, Any]:
    """Seconds from the first send to the last check of a receiver that `report`s, and what it told."""
    with receiving(target, arguments) as told:
        start = time.perf_counter_ns()  # CLOCK_MONOTONIC: the same in both processes
        send()
        end, what = told.recv()
    return (end - start) / 1e9, what
