"""Who takes part in a soak: writers and readers in forked processes, each with a log of its own.

A log is a file of records of three integers, appended with one system call each: what was written to it
survives its writer. A writer notes every call before it makes it, and what it got for it before it goes on.
A reader checks that each event is whole, then notes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import struct
import time
import traceback
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ringlog
from ringlog import _core

RECORD = struct.Struct("<qqq")
HEAD = struct.Struct("<II")
BEGUN, ACKNOWLEDGED = -1, -2  # a writer's: kind, number of the first event, how many or its sequence
LOST, DROPPED = -1, -2  # a reader's: kind, first and last lost; or: where it stands, and how much it has lost
DIRECTOR = 0  # who the soak itself is, as a writer
LAST = 0xFFFFFFFF  # the number of the last event of a round
LIMIT = 512  # events a reader takes at once
NAME = "soak"


def payload(who: int, number: int) -> bytes:
    """An event that tells who wrote it, as the how manieth, and shows whether it is whole."""
    seed = HEAD.pack(who, number)
    return seed + zlib.crc32(seed).to_bytes(4, "little") * (1 + (number * 7 + who) % 60)


def row(who: int, number: int) -> bytes:
    """The same, always as large: a row of an array. Its number tells that it is one."""
    return HEAD.pack(who, number) + b"row!" * 20


def origin(data: bytes) -> tuple[int, int]:
    who, number = HEAD.unpack_from(data)
    if data != payload(who, number) and data != row(who, number):
        raise AssertionError(f"torn: {data!r}")
    return who, number


class Log:
    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, kind: int, a: int, b: int) -> None:
        os.write(self._fd, RECORD.pack(kind, a, b))

    def saw(self, events: Iterable[tuple[int, int, bytes]]) -> bool:
        """Note events that were read; True if the last one of the round is among them."""
        seen = [(sequence, *origin(bytes(data))) for sequence, _, data in events]
        os.write(self._fd, b"".join(itertools.starmap(RECORD.pack, seen)))
        return bool(seen) and seen[-1][1:] == (DIRECTOR, LAST)


@dataclass(frozen=True)
class Life:
    """One process: what it is, how manieth, and where its log lies."""

    role: str
    who: int
    path: str
    log: str
    seed: int
    points: bool

    def attached(self) -> bool:
        """It has said something: a reader misses nothing from there on."""
        return os.path.exists(self.log) and os.path.getsize(self.log) > 0

    def over(self) -> bool:
        return os.path.exists(self.path + ".over")


def start(life: Life) -> int:
    """Fork it; its process id. It exits with 0, or 1 and the reason beside its log."""
    # No Ctrl-C before the child has its own code: it would leave through the soak's, which kills everybody.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return pid
    code = 0
    os.dup2(os.open(life.log + ".stderr", os.O_CREAT | os.O_WRONLY, 0o600), 2)  # Ctrl-C in a finalizer, say
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        ROLES[life.role](life, Log(life.log))
    except KeyboardInterrupt:
        pass  # in a moment when nobody was prepared for it: this life ends here
    except BaseException:
        code = 1
        with open(life.log + ".failed", "w") as stream:
            traceback.print_exc(file=stream)
    finally:
        os._exit(code)


# ---- writers ----


def write(life: Life, log: Log) -> None:
    chance = random.Random(life.seed)
    number = 0

    def begin(count: int, make: Callable[[int, int], bytes] = payload) -> list[bytes]:
        nonlocal number
        log.note(BEGUN, number, count)
        number += count
        return [make(life.who, k) for k in range(number - count, number)]

    def one() -> None:
        first = number
        [data] = begin(1)
        log.note(ACKNOWLEDGED, first, writer.append(data))

    def many() -> None:
        first = number
        items = begin(chance.randrange(1, 40))
        log.note(ACKNOWLEDGED, first, writer.append_many(items).start)

    def array() -> None:
        first = number
        rows = begin(chance.randrange(1, 40), row)
        block = memoryview(b"".join(rows)).cast("B", (len(rows), len(rows[0])))
        log.note(ACKNOWLEDGED, first, writer.append_array(block).start)

    def claim() -> None:
        first = number
        [data] = begin(1)
        place = writer.claim(len(data))
        with place as view:
            view[:] = data
        assert place.sequence is not None
        log.note(ACKNOWLEDGED, first, place.sequence)

    calls = {"append": [one], "batches": [many, one], "arrays": [array, one], "claims": [claim, one]}.get(
        life.role, [one, many, array, claim]
    )
    while not life.over():
        session = life.role == "session"
        with ringlog.Writer(life.path, timeout=60, lock="session" if session else "append") as writer:
            if life.points:
                core: Any = _core  # the build with points has more than its stub says
                action = chance.choice((signal.SIGKILL, signal.SIGINT))
                core.arm_point(chance.choice(core.points()), action, hits=chance.randrange(1, 300))
            for _ in range(chance.randrange(20, 200) if session else 2000):
                with contextlib.suppress(KeyboardInterrupt):  # and go on with the same object
                    chance.choice(calls)()
                if life.over():
                    break
        if session:
            time.sleep(0.05)


# ---- readers ----


def read(life: Life, log: Log) -> None:
    options: dict[str, dict[str, object]] = {
        "witness": {"lossless": True, "start": "oldest"},
        "lossless": {"lossless": True},
        "named": {"name": NAME, "start": "oldest"},
        "lossy": {},
        "asleep": {"wait": "sleep"},
    }
    take: Callable[[], Iterable[ringlog.Event]]
    with ringlog.Reader(life.path, **options[life.role]) as reader:  # type: ignore[arg-type]
        if life.role == "lossy":

            def take() -> Iterable[ringlog.Event]:
                return reader.read_batch(LIMIT, timeout=1)
        else:

            def take() -> Iterable[ringlog.Event]:
                return reader.read_many(LIMIT, timeout=1)

        log.note(DROPPED, reader.sequence, 0)
        while True:
            try:
                if log.saw(take()):
                    return
            except ringlog.Overrun as error:
                log.note(LOST, error.first, error.last)
            except KeyboardInterrupt:  # what was just read, or told, may not have reached us
                log.note(DROPPED, reader.sequence, reader.lost)


def read_async(life: Life, log: Log) -> None:
    async def follow() -> None:
        reader = ringlog.Reader(life.path, lossless=True)
        log.note(DROPPED, reader.sequence, 0)
        async for event in reader:
            if log.saw([event]):
                break
        reader.close()

    asyncio.run(follow())


ROLES: dict[str, Callable[[Life, Log], None]] = {
    **dict.fromkeys(["append", "batches", "arrays", "claims", "session"], write),
    **dict.fromkeys(["witness", "lossless", "named", "lossy", "asleep"], read),
    "async": read_async,
}
WRITERS = ("append", "batches", "arrays", "claims", "session")
READERS = ("witness", "lossless", "named", "lossy", "asleep", "async")
LOSSY = ("lossy", "asleep")
SPARED = "witness"  # it lives from the first event to the last
