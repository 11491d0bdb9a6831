"""The ways to carry a frame from process to process, for `bench frames`: a sending and a receiving end each.

A carrier is made in the sending process and goes to the receiving one as an argument. `sending()` gives a
function that sends a frame and returns when the frame may be changed; `receiving()` one that waits for the
next frame and returns what `look` saw of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import ringlog
from bench.processes import CONTEXT

Frame = npt.NDArray[np.uint8]
Send = Callable[[Frame], object]
Receive = Callable[[], int]
PAGE = 4096
SEGMENTS = 4  # as many frames as the rings hold


def look(data: Any) -> int:
    """The sum of one byte of each page, the same work for every carrier. Keeps nothing of the data."""
    return int(np.frombuffer(data, np.uint8)[::PAGE].sum(dtype=np.uint64))


def frame_of(segment: SharedMemory, size: int) -> Frame:
    assert segment.buf is not None
    return np.frombuffer(segment.buf, np.uint8, size)


class Carrier(Protocol):
    def sending(self) -> contextlib.AbstractContextManager[Send]: ...
    def receiving(self) -> contextlib.AbstractContextManager[Receive]: ...
    def close(self) -> None: ...


@dataclass
class Ring:
    """A ring with a lossless reader: in by claim or append, out by view or read, checked or not."""

    path: Path
    size: int
    claim: bool
    view: bool
    verify: bool

    def __post_init__(self) -> None:
        least = SEGMENTS * (self.size + 16) + self.size // 2  # the tail moves by strides and whole entries
        ringlog.create(self.path, 1 << least.bit_length())

    def close(self) -> None:
        ringlog.unlink(self.path)

    @contextlib.contextmanager
    def sending(self) -> Iterator[Send]:
        with ringlog.Writer(self.path) as writer:

            def claim_and_copy(frame: Frame) -> None:
                with writer.claim(frame.nbytes) as memory:
                    np.copyto(np.frombuffer(memory, np.uint8), frame)

            send: Any = claim_and_copy if self.claim else writer.append
            yield send

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Receive]:
        with ringlog.Reader(self.path, lossless=True, verify=self.verify) as reader:

            def in_place() -> int:
                view = reader.view(timeout=None)
                assert view is not None
                with view as event:
                    return look(event.data)

            yield in_place if self.view else lambda: look(reader.read().data)


class Segments:
    """Segments of shared memory that are used again and again, with their numbers through Queues or Pipes."""

    def __init__(self, size: int, *, queues: bool) -> None:
        self.owned = [SharedMemory(create=True, size=size) for _ in range(SEGMENTS)]
        self.names = [segment.name for segment in self.owned]
        self.size = size
        for memory in self.owned:
            frame_of(memory, size)[:] = 1  # its pages are there before the clock starts
        self.queues = queues
        self.filled: list[Any] = [CONTEXT.Queue()] if queues else list(CONTEXT.Pipe(duplex=False))
        self.free: list[Any] = [CONTEXT.Queue()] if queues else list(CONTEXT.Pipe(duplex=False))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "owned": []}

    def close(self) -> None:
        for segment in self.owned:
            segment.close()
            segment.unlink()

    def ends(self, ends: list[Any]) -> tuple[Callable[[], int], Callable[[int], None]]:
        return (ends[0].get, ends[0].put) if self.queues else (ends[0].recv, ends[1].send)

    @contextlib.contextmanager
    def mapped(self) -> Iterator[list[Frame]]:
        segments = [SharedMemory(name) for name in self.names]
        arrays = [frame_of(segment, self.size) for segment in segments]
        for array in arrays:
            look(array)  # this process's page tables, too
        try:
            yield arrays
        finally:
            arrays.clear()
            del array
            for segment in segments:
                segment.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Send]:
        with self.mapped() as arrays:
            (take_free, give_free), (_, give_filled) = self.ends(self.free), self.ends(self.filled)
            for number in range(SEGMENTS):
                give_free(number)

            def send(frame: Frame) -> None:
                number = take_free()
                np.copyto(arrays[number], frame)
                give_filled(number)

            yield send

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Receive]:
        with self.mapped() as arrays:
            (_, give_free), (take_filled, _) = self.ends(self.free), self.ends(self.filled)

            def receive() -> int:
                number = take_filled()
                seen = look(arrays[number])
                give_free(number)
                return seen

            yield receive


class Pickled:
    """The frame itself through a Queue or a Pipe."""

    def __init__(self, *, queue: bool) -> None:
        self.ends: list[Any] = [CONTEXT.Queue(SEGMENTS)] if queue else list(CONTEXT.Pipe(duplex=False))
        self.queue = queue

    def close(self) -> None:
        for end in self.ends:
            end.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Send]:
        yield self.ends[0].put if self.queue else self.ends[1].send

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Receive]:
        take = self.ends[0].get if self.queue else self.ends[0].recv
        yield lambda: look(take())
