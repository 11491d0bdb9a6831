"""Pages that are given back to the file system, a file system that has none left, and disks that fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from no_signal_support import (
    APPENDS,
    DATA_START,
    PAGE,
    READS,
    SIZE,
    close,
    fill,
    opened,
    payload,
    punch,
    read_all,
    remove_semaphore,
    repeat,
)
from processes import Child, run_forked

import ringlog

EVENTS = 40
reads = pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
appends = pytest.mark.parametrize("append", APPENDS, ids=lambda append: append.__name__)


# ---- holes: zeros, where there is room for them ----


@reads
def test_a_hole_in_the_data_is_no_event(ring_path: str, read: Callable[[ringlog.Reader], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            punch(ring_path, DATA_START + 2 * PAGE, PAGE)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.CorruptStream), error
            assert got == [(k, payload(k)) for k in range(2 * PAGE // (SIZE + 16))]

    run_forked(scenario)


@reads
def test_a_hole_where_the_header_was(ring_path: str, read: Callable[[ringlog.Reader], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            punch(ring_path, 0, DATA_START)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.RinglogError), error
            assert not got

    run_forked(scenario)


@appends
def test_writing_where_the_header_was(ring_path: str, append: Callable[[ringlog.Writer], Any]) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, _):
            punch(ring_path, 0, DATA_START)
            with pytest.raises(ringlog.RinglogError):
                append(writer)

    run_forked(scenario)


def test_writing_into_a_hole_fills_it(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, 0) as (writer, reader):
            punch(ring_path, DATA_START, 16 * PAGE)
            fill(writer, EVENTS)
            assert [event.data for event in reader.read_many(EVENTS)] == [payload(k) for k in range(EVENTS)]

    run_forked(scenario)


# ---- a file system without room for the page ----


def as_root(*command: object) -> bool:
    if os.geteuid() != 0 or shutil.which(str(command[0])) is None:
        return False
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


@pytest.fixture
def small_memory(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, with 40 KiB more than a small ring needs."""
    place = tmp_path / "small"
    place.mkdir()
    if not as_root("mount", "-t", "tmpfs", "-o", "size=168k", "tmpfs", place):
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    assert as_root("umount", "-l", place)


def take_the_rest(place: Path) -> None:
    with (place / "rest").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(PAGE)):
            pass
    assert os.statvfs(place).f_bavail == 0


@reads
def test_reading_a_hole_on_a_full_tmpfs(small_memory: Path, read: Callable[[ringlog.Reader], Any]) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, EVENTS) as (_, reader):
            punch(path, DATA_START + 2 * PAGE, 4 * PAGE)
            take_the_rest(small_memory)
            got, error = read_all(read, reader)
            assert isinstance(error, OSError), error
            assert "space" in str(error)
            assert got == [(k, payload(k)) for k in range(2 * PAGE // (SIZE + 16))]

    run_forked(scenario)


@appends
def test_writing_into_a_hole_on_a_full_tmpfs(
    small_memory: Path, append: Callable[[ringlog.Writer], Any]
) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, 0) as (writer, reader):
            append(writer)
            whole = len(reader.read_many())

            def both(writer: ringlog.Writer) -> None:
                nonlocal whole
                append(writer)
                whole += len(reader.read_many())

            punch(path, DATA_START + 2 * PAGE, 8 * PAGE)
            take_the_rest(small_memory)
            with pytest.raises(OSError, match="space") as caught:
                repeat(both, writer, 40)
            assert not isinstance(caught.value, ringlog.RinglogError)
            assert whole < EVENTS
            assert ringlog.info(path).event_count == whole

    run_forked(scenario)


# ---- a disk that fails ----

DISK_BYTES = 24 << 20
RING_BYTES = 8 << 20


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk's file system that can be made to fail: its backing file is cut, and what holds that is full."""
    memory, place = tmp_path / "memory", tmp_path / "mounted"
    memory.mkdir()
    place.mkdir()
    if not as_root("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", memory):
        pytest.skip("needs the right to mount a tmpfs")
    backing = memory / "disk"
    with backing.open("wb") as file:
        file.truncate(DISK_BYTES)
    if not (as_root("mkfs.ext4", "-q", "-F", backing) and as_root("mount", "-o", "loop", backing, place)):
        as_root("umount", "-l", memory)
        pytest.skip("needs the right to mount a loop device, and mkfs.ext4")

    def fail() -> None:
        os.truncate(backing, PAGE)
        take_the_rest(memory)

    yield place, fail
    assert as_root("umount", "-l", place)
    assert as_root("umount", "-l", memory)


@reads
def test_reading_from_a_disk_that_fails(
    failing_disk: tuple[Path, Callable[[], None]], read: Callable[[ringlog.Reader], Any]
) -> None:
    place, fail = failing_disk
    path = str(place / "ring")
    with ringlog.Writer(path, capacity=RING_BYTES) as writer:
        for k in range(RING_BYTES // 2 // 1016):
            writer.append(payload(k))
        writer.sync()
    clean = remove_semaphore(path)

    def scenario() -> None:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 1 << 20, 0, os.POSIX_FADV_DONTNEED)  # from here on the disk has to be asked
        fail()
        with ringlog.Reader(path, start="oldest") as reader:
            got, error = read_all(read, reader)
            assert type(error) is OSError, error
            assert got == [(k, payload(k)) for k in range(len(got))]
            assert got

    run_forked(scenario)
    clean()


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
    path = str(place / "ring")
    with ringlog.Writer(path, capacity=RING_BYTES) as writer:
        for k in range(RING_BYTES // 2 // 1016):
            writer.append(payload(k))
        writer.sync()
    clean = remove_semaphore(path)

    def scenario() -> None:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 1 << 20, 0, os.POSIX_FADV_DONTNEED)
        fail()
        writer = ringlog.Writer(path)
        for call in (lambda: writer.append(b"not"), writer.sync):
            with pytest.raises(OSError, match=r"could not be read|Input/output"):
                call()
        close(writer)

    run_forked(scenario)
    clean()


# ---- memory that was handed out ----


def test_a_view_of_pages_that_a_disk_can_not_give(failing_disk: tuple[Path, Callable[[], None]]) -> None:
    place, fail = failing_disk
    path = str(place / "ring")
    with ringlog.Writer(path, capacity=RING_BYTES) as writer:
        writer.append(b"\1" * (RING_BYTES // 4))
        writer.sync()
    clean = remove_semaphore(path)

    def scenario() -> int:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 1 << 20, 0, os.POSIX_FADV_DONTNEED)
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

    assert 0 < run_forked(scenario) < RING_BYTES // 4
    clean()


def test_a_view_and_a_claim_on_a_full_tmpfs(small_memory: Path) -> None:
    path = str(small_memory / "ring")

    def scenario() -> None:
        with opened(path, 0, verify=False) as (writer, reader):
            writer.append(b"\1" * (6 * PAGE))
            with writer.claim(PAGE) as memory:  # the mapping for claims is there
                memory[:] = bytes(PAGE)
            block = writer.claim(2 * PAGE)
            memory = block.__enter__()
            view = reader.view()
            assert view is not None
            array = numpy.frombuffer(view.__enter__().data, numpy.uint8)
            punch(path, DATA_START + PAGE, 15 * PAGE)
            take_the_rest(small_memory)
            assert 0 < int(array.sum()) < 6 * PAGE
            del array
            memory[:] = b"\2" * (2 * PAGE)
            for handed_out in (view, block):
                with pytest.raises(OSError, match="space"):
                    handed_out.__exit__(None, None, None)
            assert ringlog.info(path).event_count == 2

    run_forked(scenario)
