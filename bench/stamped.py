"""How long is one message under way? What `latency` and `idle` share: stamped messages, processes that talk.

A message begins with a time on time.perf_counter_ns's clock (CLOCK_MONOTONIC, the same in all processes of
a machine). One of time 0 is a greeting, said until every reader has heard it; one of time -1 is the goodbye.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.peers import Peer, missing
from bench.race import process

STAMP = struct.Struct("<q")
HELLO, GOODBYE = 0, -1
PATIENCE = 60.0  # seconds for any one thing that a process has to tell


class Failed(Exception):
    """A contestant could not be measured; says why in words."""


def message(stamp: int, size: int) -> bytes:
    return STAMP.pack(stamp) + bytes(size - STAMP.size)


def cores_for(processes: int) -> list[int | None]:
    """A core for each, if there are enough; otherwise nobody is tied to any."""
    cores: list[int | None] = [*sorted(os.sched_getaffinity(0))]
    return cores[:processes] if len(cores) >= processes else [None] * processes


def pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def repeat(send: Callable[[Any], object], data: bytes, control: Connection) -> None:
    """The same message each millisecond until we are told to go on."""
    while not control.poll(0.001):
        send(data)
    control.recv()


def heard_hello(source: Iterator[Any]) -> None:
    """Return when the first message has come."""
    for data in source:
        if data is not None:
            return


def told(connections: Sequence[Connection]) -> list[Any]:
    """What each of them says next. Raises Failed if one says nothing, dies, or says that it can't."""
    words = []
    for connection in connections:
        if not connection.poll(PATIENCE):
            raise Failed(f"a process said nothing for {PATIENCE:.0f} s")
        try:
            word = connection.recv()
        except EOFError:
            raise Failed("a process died") from None
        if isinstance(word, Failed):
            raise word
        words.append(word)
    return words


def guarded(target: Callable[..., None], *arguments: Any) -> None:
    """Run in a process of its own; the last argument is the connection, and hears why if it can't."""
    try:
        target(*arguments)
    except Exception as error:
        traceback.print_exc()
        said = str(error).splitlines() or [""]
        with contextlib.suppress(OSError):
            arguments[-1].send(Failed(f"{type(error).__name__}: {said[0]}"[:120]))


@contextlib.contextmanager
def running(
    peer_type: type[Peer],
    folder: Path,
    size: int,
    readers: int,
    send: tuple[Any, ...],
    receive: tuple[Any, ...],
) -> Iterator[tuple[Connection, list[Connection]]]:
    """A sender and its readers, which have all heard it, and the connections to them.

    `send` and `receive`: a function and what it gets behind the peer, (a reader's number,) and the core, in
    front of the connection. Each says "attached", a reader then "heard"; the sender says hello until it is
    told to go on.
    """
    if lacks := missing(peer_type):
        raise Failed(f"not installed: {', '.join(lacks)}")
    if readers > peer_type.most_readers:
        raise Failed(f"has {peer_type.most_readers} reader at most")
    if not peer_type.least_size <= size <= peer_type.greatest_size:
        raise Failed(f"can't carry {size} bytes")
    cores = cores_for(1 + readers)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="latency-"))
        peer = peer_type(Path(scratch), size, readers)
        stack.enter_context(peer.opened())
        sender = stack.enter_context(process(guarded, send[0], peer, cores[0], *send[1:]))
        told([sender])
        ends = [
            stack.enter_context(process(guarded, receive[0], peer, index, cores[1 + index], *receive[1:]))
            for index in range(readers)
        ]
        told(ends)  # attached
        told(ends)  # heard
        yield sender, ends
