"""`ringlog.verify`: which kind of file it is, and what is found in it."""

from __future__ import annotations

import os
import stat
from typing import Literal

from ringlog import verify_log
from ringlog.errors import NotARing
from ringlog.events import Report
from ringlog.files import StrPath
from ringlog.verify_ring import Progress, RingCheck

_MAGIC = slice(64, 72), b"ringlog\n"
_BYTE_ORDER = slice(76, 80), (0x01020304).to_bytes(4, "little")
_LONGEST = 1 << 50  # bytes in a stream: what says more is no stream's header

Kind = Literal["ring", "log", "segments"]


def verify(path: StrPath, *, progress: Progress | None = None) -> Report:
    """Go over a ring or a log, check every entry and what the header says, and return a Report.

    A log is one stream file or a directory of segments. progress: called now and then with the events and the
    bytes looked at since the last call. Changes nothing and needs only read permission; blocks for as long as
    the reading takes. Of a ring that is being written it looks at what was published when it began; what the
    writer overwrites before that is counted in `overtaken`, and is no damage. What a killed writer left half
    done is none either: nothing of it was published.

    Raises FileNotFoundError, PermissionError, OSError, VersionMismatch, NotARing (neither a ring nor a log).
    Damage is not raised but reported.
    """
    path = os.path.abspath(os.fspath(path))
    kind = kind_of(path)
    tell = progress or (lambda _events, _bytes: None)
    if kind == "ring":
        return RingCheck(path, tell).run()
    if kind == "log":
        return verify_log.verify_file(path, tell)
    return verify_log.verify_directory(path, tell)


def kind_of(path: str) -> Kind:
    """What stands at the path. Raises NotARing, OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would block
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            if verify_log.segments(path):
                return "segments"
            raise NotARing(f"{path}: not a ring or a log: a directory without segments")
        if not stat.S_ISREG(status.st_mode):
            raise NotARing(f"{path}: not a ring or a log: not a regular file")
        start = os.pread(fd, 128, 0)
    finally:
        os.close(fd)
    if verify_log.SEGMENT.fullmatch(os.path.basename(path)):
        return "log"
    if any(start[where] == what for where, what in (_MAGIC, _BYTE_ORDER)):  # one of them may be damaged
        return "ring"
    if _may_be_a_log(start):
        return "log"
    raise NotARing(f"{path}: not a ring or a log: {'no header of either' if start else 'an empty file'}")


def _may_be_a_log(start: bytes) -> bool:
    if len(start) < verify_log.HEADER.size:
        return False
    write_offset, event_count, start_timestamp = verify_log.HEADER.unpack_from(start)
    return bool(
        verify_log.HEADER.size <= write_offset <= _LONGEST
        and 0 <= event_count <= _LONGEST
        and start_timestamp >= 0
    )
