"""Rings whose memory goes away under their users."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ringlog
from ringlog import lock

CAPACITY = 64 << 10
DATA_START = 64 << 10  # of a ring with the usual number of reader slots
PAGE = os.sysconf("SC_PAGESIZE")
SIZE = 1000


def payload(sequence: int) -> bytes:
    return (b"%d," % sequence * SIZE)[:SIZE]


def fill(writer: ringlog.Writer, count: int) -> None:
    for sequence in range(count):
        writer.append(payload(sequence))


@contextlib.contextmanager
def opened(path: str, events: int, **arguments: Any) -> Iterator[tuple[ringlog.Writer, ringlog.Reader]]:
    """A writer, and a reader at the oldest of so many events; closing them may fail as reading does."""
    with contextlib.ExitStack() as stack:
        writer = ringlog.Writer(path, capacity=CAPACITY, timeout=10)
        stack.callback(remove_semaphore(path))
        reader = ringlog.Reader(path, start="oldest", **arguments)
        for handle in (writer, reader):
            stack.callback(close, handle)
        fill(writer, events)
        yield writer, reader


def remove_semaphore(path: str) -> Callable[[], None]:
    """What removes a ring's semaphore, when the ring itself can't tell its name any more."""
    with open(path, "rb") as file:
        file.seek(144)
        name = lock.semaphore_name(file.read(16))
    return lambda: lock.remove_semaphore(name)


def close(handle: ringlog.Writer | ringlog.Reader) -> None:
    with contextlib.suppress(ringlog.RinglogError, OSError):
        handle.close()


def punch(path: str, offset: int, size: int) -> None:
    """Give pages of the file back to the file system: zeros are read there."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDWR)
    try:
        keep_size, punch_hole = 1, 2
        done = libc.fallocate(fd, keep_size | punch_hole, ctypes.c_long(offset), ctypes.c_long(size))
        assert done == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(fd)


def take_the_rest(place: Path) -> None:
    with (place / "rest").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(PAGE)):
            pass
    assert os.statvfs(place).f_bavail == 0


def read_all(
    call: Callable[[ringlog.Reader], list[tuple[int, bytes]]], reader: ringlog.Reader
) -> tuple[list[tuple[int, bytes]], BaseException]:
    """What the call gave, again and again, and the error that ended it."""
    got: list[tuple[int, bytes]] = []
    while True:
        try:
            got += call(reader)
        except (ringlog.RinglogError, OSError) as error:
            return got, error


def poll(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    event = reader.poll()
    if event is None:
        raise AssertionError("nothing to read, and no error")
    return [(event.sequence, bytes(event.data))]


def read(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    event = reader.read(timeout=10)
    return [(event.sequence, bytes(event.data))]


def iterate(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    event = next(iter(reader))
    return [(event.sequence, bytes(event.data))]


def read_many(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    return [(event.sequence, bytes(event.data)) for event in reader.read_many(7, timeout=10)]


def read_batch(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    return [(event.sequence, bytes(event.data)) for event in reader.read_batch(7, timeout=10)]


def view(reader: ringlog.Reader) -> list[tuple[int, bytes]]:
    seen = reader.view(timeout=10)
    assert seen is not None
    with seen as event:
        return [(event.sequence, bytes(event.data))]


READS = [poll, read, iterate, read_many, read_batch, view]


def repeat(call: Callable[[ringlog.Writer], Any], writer: ringlog.Writer, times: int) -> None:
    for _ in range(times):
        call(writer)


def append(writer: ringlog.Writer) -> None:
    writer.append(b"x" * SIZE)


def append_many(writer: ringlog.Writer) -> None:
    writer.append_many([b"x" * SIZE] * 5)


def append_array(writer: ringlog.Writer) -> None:
    writer.append_array(memoryview(bytearray(5 * SIZE)).cast("B", (5, SIZE)))


def claim(writer: ringlog.Writer) -> None:
    with writer.claim(SIZE) as memory:
        memory[:] = b"x" * SIZE


APPENDS = [append, append_many, append_array, claim]
