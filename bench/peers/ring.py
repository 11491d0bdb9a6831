"""ringlog itself, in each of its idioms: events one by one, in lists, and as arrays and batches."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, ClassVar, Literal

import ringlog
from bench.peers.peer import Peer, Sender

DATA = attrgetter("data")


class Ring(Peer):
    """`append` to iteration, a Python object an event at both ends, checksums on."""

    name = "ringlog"
    library = "ringlog"
    waits = "sleeps"
    alone = "freely"
    events = True
    lock: ClassVar[Literal["append", "session"]] = "append"
    wait: ClassVar[str] = "adaptive"
    verify: ClassVar[bool] = True

    @property
    def path(self) -> str:
        return str(self.folder / "ring")

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        ringlog.create(self.path, self.room)
        try:
            yield
        finally:
            ringlog.unlink(self.path)

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        with ringlog.Writer(self.path, lock=self.lock) as writer:
            yield Sender(writer.append, self.all_of(writer))

    def all_of(self, writer: ringlog.Writer) -> Callable[[Sequence[bytes], int], object]:
        def many(messages: Sequence[bytes], count: int) -> None:
            append = writer.append
            for message in itertools.islice(itertools.cycle(messages), count):
                append(message)

        return many

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        options: dict[str, Any] = {"lossless": True, "wait": self.wait, "verify": self.verify}
        with ringlog.Reader(self.path, **options) as reader:
            yield self.what_comes(reader)

    def what_comes(self, reader: ringlog.Reader) -> Iterator[Any]:
        return iter(reader) if self.as_events else map(DATA, reader)


class RingSession(Ring):
    """The same with `lock="session"`: the write lock is its one writer's until it closes."""

    name = "ringlog, session"
    lock = "session"


class RingUnverified(Ring):
    """The same, with the reader's own check of the checksum left out."""

    name = "ringlog, verify=False"
    verify = False
    alone = ""  # its sender is the same


class RingSpinning(Ring):
    """The same, with a reader that never sleeps."""

    name = "ringlog, spinning"
    waits = "spins"
    wait = "spin"
    alone = ""


class RingLists(Ring):
    """`append_many` to `read_many`: lists of bytes in, lists of events out."""

    name = "ringlog, append_many to read_many"
    together = 1024
    events = False
    lists = True

    def all_of(self, writer: ringlog.Writer) -> Callable[[Sequence[bytes], int], object]:
        def many(messages: Sequence[bytes], count: int) -> None:
            step = self.at_once
            source = itertools.islice(itertools.cycle(messages), count)
            while batch := list(itertools.islice(source, step)):
                writer.append_many(batch)

        return many

    def what_comes(self, reader: ringlog.Reader) -> Iterator[Any]:
        while True:
            yield [event.data for event in reader.read_many(self.at_once, None)]


class RingArrays(Ring):
    """`append_array` to `read_batch`: rows of an array in, columns out, checked as columns."""

    name = "ringlog, append_array to read_batch"
    needs = ("numpy",)
    together = 4096
    events = False
    batches = True

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        import numpy as np

        def ready(messages: Sequence[bytes]) -> Any:
            return np.frombuffer(b"".join(messages), np.uint8).reshape(len(messages), -1)

        def many(rows: Any, count: int) -> None:
            step = 1 << (
                min(len(rows), self.at_once).bit_length() - 1
            )  # divides their number: no batch wraps
            for start in range(0, count, step):
                place = start % len(rows)
                writer.append_array(rows[place : place + min(step, count - start)])

        with ringlog.Writer(self.path) as writer:
            yield Sender(writer.append, many, ready)

    def what_comes(self, reader: ringlog.Reader) -> Iterator[Any]:
        import numpy as np

        row = np.dtype((np.void, self.size))
        while True:
            yield reader.read_batch(self.at_once, None).to_numpy(row)
