"""What the tests of claims and views share: ways to keep their memory, and a look at what is mapped."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable

import numpy as np
from oracle import RingFile, decode

import ringlog

CAPACITY = 1 << 16
LARGEST = CAPACITY // 2 - 16


def pattern(number: int, size: int) -> bytes:
    """Bytes that no other number has at this size, as far as there is room to differ."""
    return bytes((number * 7 + k * 3 + k // 251) & 0xFF for k in range(size))


# Each keeps the memory of a claim when its block is left, and can be written through as a memoryview.
HOLDERS: dict[str, Callable[[memoryview], object]] = {
    "a slice": lambda view: view[1:-1],
    "a slice of a slice": lambda view: view[2:][:-2],
    "a cast": lambda view: view.cast("H"),
    "another memoryview": memoryview,
    "a memoryview of what is beneath": lambda view: memoryview(view.obj),
    "an array": lambda view: np.frombuffer(view, "u1"),
    "an array of an array": lambda view: np.frombuffer(view, "u2")[::3].reshape(-1, 1),
    "a ctypes array": lambda view: (ctypes.c_ubyte * len(view)).from_buffer(view),
}


def scribble(holder: object, byte: int) -> None:
    """Fill what the holder reaches with a byte."""
    if isinstance(holder, np.ndarray):
        holder[...] = byte * 257 & np.iinfo(holder.dtype).max
    else:
        view = memoryview(holder).cast("B")  # type: ignore[arg-type]
        view[:] = bytes([byte]) * len(view)
        view.release()


def mapped(path: str) -> int:
    """In how many pieces this process maps the file now, after everything unreachable is gone."""
    gc.collect()
    with open("/proc/self/maps") as lines:
        return sum(path in line for line in lines)


def areas() -> int:
    """How many mappings this process has."""
    gc.collect()
    with open("/proc/self/maps") as lines:
        return sum(1 for _ in lines)


def lap(writer: ringlog.Writer, path: str, laps: int = 3) -> None:
    """Append several laps of events, and check all of those in the window now and then."""
    for number in range(laps * CAPACITY // 500):
        writer.append(pattern(number, 484))
        if number % 60 == 0:
            decode(path)
    assert [event.data for event in decode(path)][-20:] == [
        pattern(n, 484) for n in range(number - 19, number + 1)
    ]


SIZE = 1000 - 16  # 65 events of these fit into a ring of CAPACITY


def head(path: str) -> tuple[int, int]:
    with RingFile(path, writable=False) as file:
        return file.pair("head")


def assert_free(path: str) -> None:
    """The lock is: another writer gets it without waiting."""
    with RingFile(path, writable=False) as file:
        assert file["owner"] == 0
    with ringlog.Writer(path, timeout=0) as other:
        other.append(b"free")


class Boom(Exception):
    pass


def asleep_in_turn(thread: threading.Thread) -> bool:
    with open(f"/proc/self/task/{thread.native_id}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] == "S"


def fill(writer: ringlog.Writer, count: int) -> int:
    """Append events that know their sequence; how many went in."""
    for done in range(count):
        try:
            with writer.claim(SIZE) as view:
                view[:] = bytes(SIZE)
                at = ringlog.info(writer._path).event_count
                view[:6] = b"%06d" % at
        except ringlog.RingFull:
            return done
    return count


def opened(view: ringlog._core.View | None) -> ringlog._core.View:
    assert view is not None
    return view


def cursor(path: str) -> int | None:
    [slot] = [slot for slot in RingFile(path, writable=False).reader_slots() if slot.status]
    return slot.sequence


def tail(path: str) -> int:
    return ringlog.info(path).tail_count
