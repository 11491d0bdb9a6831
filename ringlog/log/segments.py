"""The files of a log: which there are, what they are called, and what their first bytes say.

A log is a directory of segments, `<sequence of the first event, 20 digits>.events`, or one stream file alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import struct
import time
from dataclasses import dataclass

from ringlog import _core
from ringlog.errors import CorruptStream, NotARing
from ringlog.verify_log import HEADER, SEGMENT

START = _core.FIRST_POSITION
FURTHEST = 1 << 61  # of positions and sequences: what is beyond is no stream of this world
ENTRY = struct.Struct("<qII")  # timestamp, size, checksum
RING_MAGIC, RING_MAGIC_AT = b"ringlog\n", 64
SETTLED = 50_000_000  # ns after which a directory's time tells of every change
UNNAMED = r"\.{0}\.events\.[0-9a-f]{{16}}|{0}\.index\.[0-9a-f]{{16}}"  # of a segment, its name without ending
FORGOTTEN = 60.0  # seconds after which nobody is about to give one of these its name


@dataclass(frozen=True)
class SegmentFile:
    """A segment: its file, and the sequence of its first event."""

    path: str
    first: int

    @property
    def index_path(self) -> str:
        """Where its sidecar index is, if it has one."""
        return f"{self.path.removesuffix('.events')}.index"


@dataclass(frozen=True)
class Header:
    """A segment's own header: the end of what was published, the events in it, when the stream began."""

    write_offset: int
    event_count: int
    start_timestamp: int


class Files:
    """The segments of one log, in their order; listed again when the directory has changed."""

    def __init__(self, path: str, *, single: bool) -> None:
        self.path = path
        self.single = single
        self._listed: list[SegmentFile] = [SegmentFile(path, first_of(path))] if single else []
        self._changed = -1

    def now(self) -> list[SegmentFile]:
        """Those that are there now, the oldest first. Raises FileNotFoundError if the directory is gone."""
        if self.single:
            return self._listed
        changed = os.stat(self.path).st_mtime_ns
        if changed != self._changed:
            names = sorted(
                name
                for name in os.listdir(self.path)
                if SEGMENT.fullmatch(name) and int(name[:20]) < FURTHEST
            )
            self._listed = [SegmentFile(os.path.join(self.path, name), int(name[:20])) for name in names]
            settled = time.time_ns() - changed > SETTLED
            self._changed = changed if settled else -1  # another change would have the same time
        return self._listed

    def forget(self) -> None:
        """List the directory again next time, whatever its time says."""
        self._changed = -1

    def name(self, first: int) -> SegmentFile:
        """What a segment that begins at this sequence is called."""
        return SegmentFile(os.path.join(self.path, f"{first:020}.events"), first)


def unnamed(path: str) -> str:
    """Where a segment or an index is made, before it gets this name whole."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"{'.' if name.endswith('.events') else ''}{name}.{secrets.token_hex(8)}")


def sweep(files: Files) -> None:
    """Remove what killed processes were about to give a name, if we may. Who writes the log calls it."""
    folder, stem = files.path, r"\d{20}"
    if files.single:
        folder, name = os.path.split(files.path)
        stem = re.escape(name.removesuffix(".events"))
    unnamed = re.compile(UNNAMED.format(stem))
    with contextlib.suppress(OSError):
        for name in filter(unnamed.fullmatch, os.listdir(folder)):
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                if time.time() - os.stat(path).st_mtime > FORGOTTEN:
                    os.unlink(path)


def first_of(path: str) -> int:
    """The sequence with which a stream file begins: as its name says, else 0."""
    named = SEGMENT.fullmatch(os.path.basename(path))
    return int(named[1]) if named and int(named[1]) < FURTHEST else 0


def files_of(path: str) -> Files:
    """The files of a log that exists. Raises FileNotFoundError, NotARing."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return Files(path, single=False)
    if not stat.S_ISREG(mode):
        raise NotARing(f"{path}: not a log: not a directory or a regular file")
    return Files(path, single=True)


def read_header(fd: int, path: str) -> Header:
    """Raises NotARing if the file behind fd can't be a stream file."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise NotARing(f"{path}: not a log: not a regular file")
    raw = os.pread(fd, RING_MAGIC_AT + len(RING_MAGIC), 0)
    if len(raw) < HEADER.size:
        raise NotARing(f"{path}: not a log: {'shorter than a header' if raw else 'an empty file'}")
    header = Header(*HEADER.unpack_from(raw))
    if header.write_offset == START and raw[RING_MAGIC_AT:] == RING_MAGIC:
        raise NotARing(f"{path}: not a log: an empty ring")  # whose first words are an empty stream's
    if not START <= header.write_offset < 1 << 50 or header.event_count < 0 or header.start_timestamp < 0:
        raise NotARing(f"{path}: not a log: no stream header")
    return header


def first_timestamp(path: str) -> int | None:
    """When the first event of a segment was published; None if there is none, or no segment any more."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        if read_header(fd, path).write_offset == START:
            return None
        raw = os.pread(fd, ENTRY.size, START)
    finally:
        os.close(fd)
    if len(raw) < ENTRY.size or (found := int(ENTRY.unpack(raw)[0])) <= 0:
        raise CorruptStream(f"{path}: the first entry is damaged")
    return found
