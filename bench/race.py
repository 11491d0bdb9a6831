"""How fast does one contestant carry messages from one sender to N readers, each in its own process?

Every message is counted and checked. Before the clock starts the sender says hello until every reader has
heard it, so that all are attached and have touched what they need. Then it sends `count` messages, 2 ** k
different ones in turn, and every reader compares each with what it must be, whole. A lossless reader ends
when it has all. To a lossy one the sender then says goodbye until it has heard it; what is missing between
two messages is found by the number at the head of each, and what is missing altogether by counting.
"""

from __future__ import annotations

import contextlib
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench.checks import GOODBYE, HELLO, Received, check, check_batches, check_events, check_lists, messages
from bench.peers import Peer
from bench.processes import CONTEXT

__all__ = ["GOODBYE", "HELLO", "Failed", "Race", "Received", "messages", "process", "run", "told"]

PATIENCE = 60.0


@dataclass(frozen=True)
class Race:
    """One run. Rates are per reader: each got so many a second. Processor time is in ns a message sent."""

    rate: float  # received a second, the mean of the readers, from the first send to the last check of all
    lost: float  # of those sent, the part that a reader did not get, the mean
    sender_cpu: float  # until all readers have done, for what its threads do behind the calls
    reader_cpu: float  # the mean
    count: int  # messages sent
    seconds: float


class Failed(Exception):
    """A run that came to nothing: what went wrong, in words."""


class Died(Failed):
    """A process ended without a word."""


@dataclass(frozen=True)
class _Trouble:
    """What a process sends in place of what it was to tell."""

    text: str


def _reader(peer: Peer, index: int, count: int, control: Connection) -> None:
    with peer.receiving(index) as source:
        control.send("attached")
        for data in source:
            if data is not None:
                break
        control.send("heard")
        expected = messages(peer.size)
        if peer.events:
            seen = check_events(source, expected, count)
        elif peer.lists:
            seen = check_lists(source, expected, count)
        elif peer.batches:
            seen = check_batches(source, expected, count)
        else:
            seen = check(source, expected, count, peer.lossless)
        control.send(seen)
        control.recv()  # the sender has done with us


def _sender(peer: Peer, count: int, control: Connection) -> None:
    with peer.sending() as sender:
        kinds = sender.ready(messages(peer.size))
        control.send("attached")
        _repeat(sender.one, HELLO * peer.size, control)
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        sender.many(kinds, count)
        control.send(start)
        if peer.lossless:
            control.recv()  # all have everything
        else:
            _repeat(sender.one, GOODBYE * peer.size, control)
        control.send(time.process_time_ns() - cpu)
        control.recv()


def _repeat(send: Callable[[Any], object], message: bytes, control: Connection) -> None:
    """The same message each millisecond until we are told to go on."""
    while not control.poll(0.001):
        send(message)
    control.recv()


def _telling(target: Callable[..., None], *arguments: Any) -> None:
    """Runs in the child: an exception goes to the parent as a sentence instead of to the terminal."""
    try:
        target(*arguments)
    except Exception as error:
        with contextlib.suppress(OSError):  # the parent has gone on
            arguments[-1].send(_Trouble(f"{type(error).__name__}: {error}"[:300]))


@contextlib.contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """A process with a connection to us as its last argument; killed if it is still there at the end."""
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=_telling, args=(target, *arguments, theirs))
    child.start()
    theirs.close()
    try:
        yield ours
        child.join(5)
    except Died:
        child.join(0.2)  # its connection closes a moment before it is gone
        if child.exitcode:
            raise Died(f"a process died: {_how(child.exitcode)}") from None
        raise
    finally:
        if child.is_alive():
            child.kill()
        child.join()
        ours.close()


def _how(exitcode: int) -> str:
    return signal.Signals(-exitcode).name if exitcode < 0 else f"exit code {exitcode}"


def told(connections: list[Connection], until: float) -> list[Any]:
    """What each of them says next, or Failed if one can't or `until` (monotonic) comes first."""
    words: dict[int, Any] = {}
    while len(words) < len(connections):
        silent = [c for c in connections if id(c) not in words]
        ready = wait(silent, max(0.0, until - time.monotonic()))
        if not ready:
            raise Failed(f"hung: {len(silent)} of {len(connections)} processes said nothing in time")
        for connection in ready:
            assert isinstance(connection, Connection)
            try:
                word = connection.recv()
            except (EOFError, ConnectionResetError):
                raise Died("a process ended without a word") from None
            if isinstance(word, _Trouble):
                raise Failed(word.text)
            words[id(connection)] = word
    return [words[id(c)] for c in connections]


def run(
    kind: type[Peer],
    size: int,
    readers: int,
    count: int,
    patience: float = PATIENCE,
    where: Path = Path("/dev/shm"),
) -> Race:
    """One race. Raises Failed if a message was wrong, or a process halted, died or took too long."""
    until = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where, prefix="race-")))
        peer = kind(folder, size, readers, as_events=kind.events)
        stack.enter_context(peer.opened())
        sender = stack.enter_context(process(_sender, peer, count))
        told([sender], until)
        ends = [stack.enter_context(process(_reader, peer, index, count)) for index in range(readers)]
        told(ends, until)  # attached
        told(ends, until)  # heard
        sender.send("go")
        (start,) = told([sender], until)
        seen: list[Received] = told(ends, until)
        sender.send("all have done")
        (sender_cpu,) = told([sender], until)
        for end in [sender, *ends]:
            end.send("enough")
    if any(r.wrong for r in seen) or (peer.lossless and any(r.count != count for r in seen)):
        worst = max(r.wrong for r in seen)
        raise Failed(f"wrong data: of {count} messages {[r.count for r in seen]} came, up to {worst} wrong")
    seconds = (max(r.end for r in seen) - start) / 1e9
    got = statistics.fmean(r.count for r in seen)
    reader_cpu = statistics.fmean(r.cpu for r in seen)
    return Race(got / seconds, 1 - got / count, sender_cpu / count, reader_cpu / count, count, seconds)
