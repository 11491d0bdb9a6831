"""How fast does one contestant carry messages from one sender to N readers, each in its own process?

Every message is counted and checked. Before the clock starts the sender says hello until every reader has
heard it, so that all are attached and have touched what they need. Then it sends `count` messages, 2 ** k
different ones in turn, and every reader compares each with what it must be, whole. A lossless reader ends
when it has all. To a lossy one the sender then says goodbye until it has heard it; what is missing between
two messages is found by the number at the head of each, and what is missing altogether by counting.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench.peers import Peer
from bench.processes import CONTEXT

HELLO, GOODBYE = b"\xfe", b"\xff"  # the first byte; that of a message is below 64
PATIENCE = 60.0


def messages(size: int) -> list[bytes]:
    """2 ** k messages that differ, at most 4 MiB of them; each begins with its number, big-endian."""
    kinds = 1 << max(2, min(12, ((4 << 20) // max(size, 1)).bit_length() - 1))
    return [(k.to_bytes(4, "big") + k.to_bytes(4, "little") * (size // 4 + 1))[:size] for k in range(kinds)]


@dataclass(frozen=True)
class Received:
    """What one reader saw: how many, how many of them wrong, when the last came, and its processor time."""

    count: int
    wrong: int
    end: int
    cpu: int


@dataclass(frozen=True)
class Race:
    """One run. Rates are per reader: each got so many a second. Processor time is in ns a message sent."""

    rate: float  # received a second, the mean of the readers, from the first send to the last check of all
    lost: float  # of those sent, the part that a reader did not get, the mean
    sender_cpu: float
    reader_cpu: float  # the mean


class Wrong(Exception):
    """A peer brought something other than what was sent."""


def _check(source: Iterator[Any], expected: list[bytes], count: int, lossless: bool) -> Received:
    """Take what comes until it is all there, or the sender says goodbye."""
    mask = len(expected) - 1
    got = place = wrong = misses = 0
    for data in source:  # the hellos that are still under way
        if data is not None and bytes(data[:1]) != HELLO:
            break
    cpu = time.process_time_ns()
    while True:
        if data is None:
            misses += 1
            if not misses & 63:
                os.sched_yield()  # the sender may need this core
        elif data == expected[place & mask]:
            got += 1
            place += 1
            if got == count:
                break
        else:
            head = bytes(data[:4])
            if head[:1] == GOODBYE and not lossless:
                break
            number = int.from_bytes(head, "big")
            if lossless or number > mask or data != expected[number]:
                wrong += 1
            else:
                got += 1
                place = number + 1
        data = next(source)
    end = time.perf_counter_ns()
    return Received(got, wrong, end, time.process_time_ns() - cpu)


def _reader(peer: Peer, index: int, count: int, control: Connection) -> None:
    with peer.receiving(index) as source:
        control.send("attached")
        for data in source:
            if data is not None:
                break
        control.send("heard")
        control.send(_check(source, messages(peer.size), count, peer.lossless))
        control.recv()  # the sender has done with us


def _sender(peer: Peer, count: int, control: Connection) -> None:
    kinds = messages(peer.size)
    with peer.sending() as sender:
        control.send("attached")
        _repeat(sender.one, HELLO * peer.size, control)
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        sender.many(kinds, count)
        control.send((start, time.process_time_ns() - cpu))
        if not peer.lossless:
            _repeat(sender.one, GOODBYE * peer.size, control)
        control.recv()


def _repeat(send: Callable[[Any], object], message: bytes, control: Connection) -> None:
    """The same message each millisecond until we are told to go on."""
    while not control.poll(0.001):
        send(message)
    control.recv()


@contextlib.contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """A process with a connection to us as its last argument; killed if it is still there at the end."""
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    try:
        yield ours
    finally:
        child.join(5)
        if child.is_alive():
            child.kill()
            child.join()
        ours.close()


def _told(connections: list[Connection]) -> list[Any]:
    """What each of them says next."""
    words: dict[int, Any] = {}
    until = time.monotonic() + PATIENCE
    while len(words) < len(connections):
        silent = [c for c in connections if id(c) not in words]
        ready = wait(silent, until - time.monotonic())
        if not ready:
            raise TimeoutError(f"{len(silent)} processes said nothing for {PATIENCE:.0f} s")
        for connection in ready:
            assert isinstance(connection, Connection)
            words[id(connection)] = connection.recv()
    return [words[id(c)] for c in connections]


def run(kind: type[Peer], size: int, readers: int, count: int) -> Race:
    """One race. Raises Wrong if a message was, TimeoutError if a process came to a halt."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm", prefix="race-")))
        peer = kind(folder, size, readers)
        stack.enter_context(peer.opened())
        sender = stack.enter_context(process(_sender, peer, count))
        _told([sender])
        ends = [stack.enter_context(process(_reader, peer, index, count)) for index in range(readers)]
        _told(ends)  # attached
        _told(ends)  # heard
        sender.send("go")
        ((start, sender_cpu),) = _told([sender])
        seen: list[Received] = _told(ends)
        for end in [sender, *ends] if peer.lossless else [sender, sender, *ends]:
            end.send("enough")
    if any(r.wrong for r in seen) or (peer.lossless and any(r.count != count for r in seen)):
        raise Wrong(f"{kind.name}: of {count} messages {[(r.count, r.wrong) for r in seen]} came, were wrong")
    seconds = (max(r.end for r in seen) - start) / 1e9
    got = statistics.fmean(r.count for r in seen)
    return Race(
        got / seconds, 1 - got / count, sender_cpu / count, statistics.fmean(r.cpu for r in seen) / count
    )
