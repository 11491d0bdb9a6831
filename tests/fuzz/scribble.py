"""A process that scribbles on a ring which is in use: readers and writers of every kind come through it.

Each event proves itself: its data begins with a digest of the rest. So an event that no writer has written is
noticed, whatever its checksum says. A scribbled header stays as it is, so the ring is made anew
every moment. At the end everybody is told to stop by Ctrl-C, in the middle of what they wait for.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import errno
import faulthandler
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import posix_ipc

import ringlog

CAPACITY = 65536
HEADER = 32768  # what of it holds anything, with 64 readers
DATA_AT = 65536
DIGEST = 16
ROUND = 0.25  # seconds that a ring lasts
ENDS = 15.0  # seconds that nobody needs to stop
OURS_TO_AVOID = {errno.EINVAL, errno.EFAULT, errno.EOVERFLOW, errno.EBADF, errno.ENOMEM, errno.EDOM}


def prove(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST).digest() + body


def expected(error: BaseException) -> bool:
    """Is this what the documentation says, whatever the file holds?"""
    if isinstance(error, OSError) and not isinstance(error, ringlog.RinglogError):
        return error.errno not in OURS_TO_AVOID
    if type(error) is ValueError:
        return "is beyond the next event" in str(error)
    if type(error) is KeyError:  # of forget()
        return error.args == ("known",)
    return isinstance(error, ringlog.RinglogError)


class Role:
    """What one process does until it is told to stop, and what it has met."""

    def __init__(self, path: str, number: int) -> None:
        self.path = path
        self.dice = random.Random(number)
        self.counts: collections.Counter[str] = collections.Counter()
        self.semaphores: set[str] = set()

    def accept(self, events: Iterable[Any]) -> None:
        for event in events:
            data = bytes(event.data)
            if not data:  # 8 bytes of zeros are the size and the checksum of an event without data
                self.counts["empty events"] += 1
            elif prove(data[DIGEST:]) == data:
                self.counts["events"] += 1
            else:
                raise AssertionError(f"an event that nobody wrote: {event.sequence}, {data[:64]!r}")

    def bodies(self, count: int) -> list[bytes]:
        return [prove(self.dice.randbytes(self.dice.choice((1, 20, 200, 1500)))) for _ in range(count)]

    # ---- the roles ----

    def poll(self) -> None:
        with ringlog.Reader(self.path, start="oldest", open_timeout=1) as reader:
            for _ in range(2000):
                if (event := reader.poll()) is not None:
                    self.accept([event])

    def read_many(self) -> None:
        with ringlog.Reader(self.path, on_overrun="skip", open_timeout=1) as reader:
            for _ in range(30):
                self.accept(reader.read_many(200, timeout=0.05))

    def read_batch(self) -> None:
        with ringlog.Reader(self.path, start="oldest", on_overrun="skip", open_timeout=1) as reader:
            for _ in range(30):
                self.accept(reader.read_batch(timeout=0.05))

    def view(self) -> None:
        with ringlog.Reader(self.path, start="oldest", open_timeout=1) as reader:
            for _ in range(300):
                if (view := reader.view(timeout=0.05)) is None:
                    continue
                with view as event:
                    data = bytes(event.data)
                seen = ringlog.Event(event.sequence, event.timestamp, data)
                if data and prove(data[DIGEST:]) != data:
                    # In place, what was summed may be scribbled on before it is looked at: that is no lie.
                    self.counts["changed under a view"] += 1
                else:
                    self.accept([seen])

    def named(self) -> None:
        with ringlog.Reader(self.path, name="named", open_timeout=1) as reader:
            for _ in range(300):
                self.accept([reader.read(timeout=0.3)])

    def for_ever(self) -> None:
        with ringlog.Reader(self.path, lossless=True, open_timeout=1) as reader:
            for event in reader:
                self.accept([event])

    def asynchronous(self) -> None:
        async def read() -> None:
            with ringlog.Reader(self.path, on_overrun="skip", open_timeout=1) as reader:
                async for event in reader:
                    self.accept([event])

        async def read_for_a_while() -> None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(read(), 0.4)

        asyncio.run(read_for_a_while())

    def closed(self) -> None:
        """close() in one thread ends a read without a timeout in another."""
        reader = ringlog.Reader(self.path, open_timeout=1)

        def wait() -> None:
            try:
                while True:
                    self.accept([reader.read()])
            except Exception as error:
                unexpected.extend([] if expected(error) else [error])

        unexpected: list[Exception] = []
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)  # not to synchronise: whatever it does by then
        reader.close()
        thread.join(ENDS)
        if thread.is_alive():
            raise AssertionError("close() has not ended a read")
        if unexpected:
            raise unexpected[0]

    def append(self) -> None:
        with ringlog.Writer(self.path, timeout=0.1) as writer:
            self.semaphores.add(writer._semaphore.name)
            for body in self.bodies(300):
                writer.append(body)
                self.counts["appended"] += 1

    def append_batches(self) -> None:
        with ringlog.Writer(self.path, timeout=0.1) as writer:
            self.semaphores.add(writer._semaphore.name)
            for _ in range(20):
                self.counts["appended"] += len(writer.append_many(self.bodies(8)))
                rows = b"".join(prove(self.dice.randbytes(32)) for _ in range(4))
                writer.append_array(memoryview(rows).cast("B", (4, len(rows) // 4)))
                body = self.bodies(1)[0]
                with writer.claim(len(body)) as view:
                    view[:] = body
                self.counts["appended"] += 5

    def describe(self) -> None:
        ringlog.info(self.path)
        time.sleep(0.002)  # not to synchronise

    def run(self, name: str) -> None:
        step = getattr(self, name)
        stopping = False

        def stop(*_: object) -> None:
            nonlocal stopping
            stopping = True  # for where an exception is only printed: in a __del__, say
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, stop)
        with contextlib.suppress(KeyboardInterrupt):
            print("ready", flush=True)
            while not stopping:
                self.counts["turns"] += 1
                try:
                    step()
                except Exception as error:
                    if not expected(error):
                        raise
                    self.counts[type(error).__name__] += 1
                    time.sleep(
                        0.001
                    )  # a damaged ring stays damaged until there is another; not to synchronise
        print(json.dumps([self.counts, sorted(self.semaphores)]), flush=True)


ROLES = ("poll", "read_many", "read_batch", "view", "named", "for_ever", "asynchronous", "closed", "append",
         "append_batches", "describe")  # fmt: skip

# ---- the scribbler ----


def scribble(memory: mmap.mmap, dice: random.Random, where: str) -> None:
    """Some bytes or a word, somewhere."""
    place = dice.choice(("header", "data")) if where == "all" else where
    if place == "data":
        at = dice.randrange(DATA_AT, DATA_AT + CAPACITY - 8)
    else:  # where the words are; seldom the magic, without which nobody tries anything
        spans = ((0, 64), (192, 340), (192, 512), (512, 1600), (4096, HEADER - 8))
        at = dice.randrange(*((64, 192) if dice.random() < 0.002 else dice.choice(spans)))
    kind = dice.randrange(4)
    if kind == 0:
        memory[at] = dice.randrange(256)
    elif kind == 1:
        memory[at : at + 8] = dice.randbytes(8)
    elif kind == 2:
        near = int.from_bytes(memory[0:8], "little") + dice.randrange(-70000, 70000)
        memory[at // 8 * 8 : at // 8 * 8 + 8] = (near % (1 << 64)).to_bytes(8, "little")
    else:
        memory[at : at + 8] = dice.choice(
            (b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 7 + b"\x80", b"\1" + bytes(7))
        )


def make(path: str) -> str:
    """A new ring there, in the place of whatever was; the name of its semaphore."""
    with contextlib.suppress(FileNotFoundError):
        try:
            ringlog.unlink(path)
        except (ringlog.RinglogError, OSError):
            os.unlink(path)  # not even its magic is left
    with contextlib.suppress(FileExistsError):  # a writer was faster, with a larger one
        ringlog.create(path, CAPACITY)
    with open(path, "rb") as file:
        file.seek(144)
        return f"/ringlog-{file.read(16).hex()}"


def scribble_for(path: str, seconds: float, dice: random.Random) -> tuple[int, int, set[str]]:
    """Rounds of a fresh ring, scribbled on: (rounds, scribbles, semaphores)."""
    until = time.monotonic() + seconds
    rounds = scribbles = 0
    names = set()
    while time.monotonic() < until:
        names.add(make(path))
        where = dice.choice(("data", "header", "all"))
        pause = dice.choice((0.0, 0.0002, 0.005))
        end = min(time.monotonic() + ROUND, until)
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), DATA_AT + CAPACITY) as memory:
            time.sleep(0.05)  # events come first; not to synchronise
            while time.monotonic() < end:
                scribble(memory, dice, where)
                scribbles += 1
                time.sleep(pause)
        rounds += 1
    return rounds, scribbles, names


# ---- all of it ----


def run(seconds: float, seed: int, roles: Iterable[str] = ROLES) -> bool:
    print(f"scribble: seed {seed}", flush=True)
    folder = tempfile.mkdtemp(
        prefix="ringlog-scribble-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
    )
    path = os.path.join(folder, "ring")
    names = {make(path)}
    environment = os.environ | {"PYTHONPATH": str(Path(ringlog.__file__).parent.parent)}
    children = {
        role: subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-W",
                "ignore::ResourceWarning",
                __file__,
                role,
                path,
                str(seed + number),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number, role in enumerate(roles)
    }
    good = True
    try:
        for child in children.values():
            assert child.stdout is not None
            child.stdout.readline()
        rounds, scribbles, more = scribble_for(path, seconds, random.Random(seed))
        names |= more
        print(f"scribble: {scribbles} scribbles on {rounds} rings", flush=True)
        for role, child in children.items():
            good &= _stop(role, child, names)
    finally:
        for child in children.values():
            if child.poll() is None:
                child.kill()
            child.communicate()
        shutil.rmtree(folder)
        for name in names:
            with contextlib.suppress(posix_ipc.ExistentialError):
                posix_ipc.unlink_semaphore(name)
    return good


def _stop(role: str, child: subprocess.Popen[str], names: set[str]) -> bool:
    """Ctrl-C, and what it then says."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        said, _ = child.communicate(timeout=ENDS)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGABRT)  # faulthandler shows where
        child.communicate()
        print(f"scribble: {role}: Ctrl-C has not ended it", flush=True)
        return False
    if child.returncode:
        code = child.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        print(f"scribble: {role}: ended by {how}", flush=True)
        return False
    counts, semaphores = json.loads(said)
    names.update(semaphores)
    print(
        f"scribble: {role}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())),
        flush=True,
    )
    return True


def _main(role: str, path: str, number: str) -> Callable[[], None]:
    return lambda: Role(path, int(number)).run(role)


if __name__ == "__main__":
    faulthandler.enable()
    try:
        _main(*sys.argv[1:])()
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
