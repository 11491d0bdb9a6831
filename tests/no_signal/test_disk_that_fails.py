"""A disk that can't be read or written any more, under a ring that is mapped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from no_signal_support import READS, close, payload, read_all, remove_semaphore
from processes import Child, run_forked

import ringlog

RING_BYTES = 8 << 20
EVENTS = RING_BYTES // 2 // 1016
reads = pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)


@contextlib.contextmanager
def synced_ring(place: Path, append: Callable[[ringlog.Writer], Any]) -> Iterator[str]:
    path = str(place / "ring")
    with ringlog.Writer(path, capacity=RING_BYTES) as writer:
        append(writer)
        writer.sync()
    clean = remove_semaphore(path)
    yield path
    clean()


def many(writer: ringlog.Writer) -> None:
    for sequence in range(EVENTS):
        writer.append(payload(sequence))


def forget_data(path: str) -> None:
    """From here on the disk has to be asked for what lies behind the ring's first MiB."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 1 << 20, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


@reads
def test_reading_from_a_disk_that_fails(
    failing_disk: tuple[Path, Callable[[], None]], read: Callable[[ringlog.Reader], Any]
) -> None:
    place, fail = failing_disk

    def scenario() -> None:
        forget_data(path)
        fail()
        with ringlog.Reader(path, start="oldest") as reader:
            got, error = read_all(read, reader)
            assert type(error) is OSError, error
            assert got == [(k, payload(k)) for k in range(len(got))]
            assert got

    with synced_ring(place, many) as path:
        run_forked(scenario)


def test_writing_to_a_disk_that_fails(
    failing_disk: tuple[Path, Callable[[], None]], spawn: Callable[..., Child]
) -> None:
    place, fail = failing_disk
    path = str(place / "ring")
    child = spawn(
        f"""
        writer = ringlog.Writer(path, capacity={RING_BYTES}, sync="always")
        say(writer.append(b"on disk"))
        sys.stdin.readline()
        for call in (lambda: writer.append(b"not"), lambda: writer.append(b"not"), writer.sync, writer.close):
            try:
                call()
            except OSError as error:
                say("failed")
        """,
        path,
    )
    assert child.line() == "0"
    clean = remove_semaphore(path)
    fail()
    child.tell()
    assert [child.line() for _ in range(4)] == ["failed"] * 4
    child.finish()
    clean()


def test_nothing_is_called_synced_that_lies_in_missing_memory(
    failing_disk: tuple[Path, Callable[[], None]],
) -> None:
    place, fail = failing_disk

    def scenario() -> None:
        forget_data(path)
        fail()
        writer = ringlog.Writer(path)
        for call in (lambda: writer.append(b"not"), writer.sync):
            with pytest.raises(OSError, match=r"could not be read|Input/output"):
                call()
        close(writer)

    with synced_ring(place, many) as path:
        run_forked(scenario)


@pytest.mark.parametrize("size", [65536, 65536 + 116], ids=["all-data", "within-a-page"])
@pytest.mark.parametrize("sync", ["none", "always"])
def test_nothing_is_called_synced_behind_the_end_of_a_cut_file(disk_path: str, sync: Any, size: int) -> None:
    def scenario() -> None:
        writer = ringlog.Writer(disk_path, capacity=RING_BYTES, sync=sync)
        clean = remove_semaphore(disk_path)
        writer.append(b"x" * 100)
        os.truncate(disk_path, size)
        calls = [writer.sync] if sync == "none" else [lambda: writer.append(b"y"), writer.sync]
        for call in calls:
            with pytest.raises(ringlog.StreamTruncated):
                call()
        close(writer)
        clean()

    run_forked(scenario)


def test_a_view_of_pages_that_a_disk_can_not_give(failing_disk: tuple[Path, Callable[[], None]]) -> None:
    place, fail = failing_disk

    def scenario() -> int:
        forget_data(path)
        fail()
        with ringlog.Reader(path, start="oldest", verify=False) as reader:
            view = reader.view()
            assert view is not None
            array = numpy.frombuffer(view.__enter__().data, numpy.uint8)
            seen = int(array.sum())
            del array
            with pytest.raises(OSError, match="could not be read") as caught:
                view.__exit__(None, None, None)
            assert not isinstance(caught.value, ringlog.RinglogError)
        return seen

    with synced_ring(place, lambda writer: writer.append(b"\1" * (RING_BYTES // 4))) as path:
        assert 0 < run_forked(scenario) < RING_BYTES // 4
