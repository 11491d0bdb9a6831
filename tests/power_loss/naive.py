"""What a naive program would do, to see that the power cuts find it out."""

from __future__ import annotations

import contextlib
import secrets
import zlib
from collections.abc import Callable, Iterator
from unittest import mock

from disk_model import HEADER_BYTES
from oracle import ENTRY, RingFile
from recorder import PAGE, Recording

import ringlog.files
from ringlog import _core
from ringlog.log import recovery

HEADER_PAGES = HEADER_BYTES // PAGE
Ignore = Callable[[set[int]], bool]


def no_data_sync() -> Ignore:
    """The commit record is written without the data being on disk before."""
    return lambda pages: min(pages) >= HEADER_PAGES


def no_entries_sync() -> Ignore:
    """A log's words are written without the entries being on disk before."""
    return lambda pages: max(pages) > 0


def no_header_sync() -> Ignore:
    """Data is synced, and the commit record left to the kernel."""
    return lambda pages: max(pages) < HEADER_PAGES


def no_tail_sync() -> Ignore:
    """The shortened record is not on disk when its stride is overwritten: its sync is one of the header that
    follows one of the header, where others follow one of data."""
    header_before = False

    def ignore(pages: set[int]) -> bool:
        nonlocal header_before
        again, header_before = header_before, max(pages) < HEADER_PAGES
        return again and header_before

    return ignore


def without(recording: Recording, kind: str, *, empty: bool = False) -> Recording:
    """The same program, less the steps of this kind (or, of those, the ones that changed nothing)."""
    steps = [step for step in recording.steps if step.kind != kind or (empty and step.data)]
    return recording._replace(steps=steps)


@contextlib.contextmanager
def header_believed() -> Iterator[None]:
    """Recovery goes by what the header says, as after a kill -9."""
    with mock.patch.object(ringlog.files, "restart_after_crash"):
        yield


@contextlib.contextmanager
def words_believed() -> Iterator[None]:
    """A log's recovery goes by its words and looks only at what lies behind its index, as after a kill -9."""

    def walk(
        fd: int, position: int, sequence: int, timestamp: int, end: int, *_: object
    ) -> tuple[object, ...]:
        count = recovery.read_header(fd, "").event_count
        return end, max(sequence, count), timestamp, None

    with mock.patch.object(recovery.verify_log, "walk_from", walk):
        yield


@contextlib.contextmanager
def half_entries_believed() -> Iterator[None]:
    """A log's recovery takes an entry of which only the time is there for an empty event."""
    with mock.patch.object(recovery, "looks_half", return_value=False):
        yield


@contextlib.contextmanager
def same_stream() -> Iterator[None]:
    """Recovery goes back to a record and leaves the stream its id."""
    restart = ringlog.files.restart_after_crash

    def keep(mapping: _core.Mapping, path: str) -> None:
        known = mapping.snapshot()["stream_id"]
        with mock.patch.object(secrets, "token_bytes", return_value=known):
            restart(mapping, path)

    with mock.patch.object(ringlog.files, "restart_after_crash", keep):
        yield


@contextlib.contextmanager
def valid_entries_believed() -> Iterator[None]:
    """Recovery takes what stands behind the record's head, as long as sizes and checksums are in order."""
    restart = ringlog.files.restart_after_crash

    def and_more(mapping: _core.Mapping, path: str) -> None:
        before = mapping.snapshot()["boot_id"]
        restart(mapping, path)
        if mapping.snapshot()["boot_id"] == before:
            return
        with RingFile(path) as file:
            (position, sequence), tail = file.pair("head"), file.pair("tail").position
            while True:
                timestamp, size, checksum = file.entry(position)
                end = position + ENTRY.size + size
                if timestamp <= 0 or end > tail + file.capacity:
                    break
                if zlib.crc32(file.read(position + ENTRY.size, size)) != checksum:
                    break
                position, sequence = end, sequence + 1
            file["event_count"] = sequence
            file.set_pair("head", position, sequence)

    with mock.patch.object(ringlog.files, "restart_after_crash", and_more):
        yield
