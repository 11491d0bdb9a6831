"""Segments before the last one: on disk before anything behind them is promised, and in order after a crash.

A segment's index says up to where it was synced, and a sync covers all earlier segments, too. So those that
may not be on disk are the last few, back to one whose index knows of a sync.
"""

from __future__ import annotations

import contextlib
import os

from ringlog import durability
from ringlog.log import index, recovery
from ringlog.log.segments import START, Header, SegmentFile, read_header


def settle(files: list[SegmentFile], since: int) -> None:
    """All of them but the last are on disk, and all names are. since: the first sequence of one for whose
    predecessors that is known. Raises OSError."""
    for file, header, known in _not_synced(files[:-1]):
        if file.first < since:
            break
        if known.synced < header.write_offset:
            with contextlib.suppress(FileNotFoundError):  # retention
                durability.sync_file(file.path)
    durability.sync_name(files[-1].path)
    durability.sync_name(os.path.dirname(files[-1].path))


def mend(files: list[SegmentFile]) -> list[str]:
    """Put those before the last in order that a crash of the machine may have left with pages missing. What
    was done, in words. Raises NotARing, CorruptStream, OSError."""
    suspects = []
    for file, _, known in _not_synced(files[:-1]):
        if index.same_boot(known):  # whoever finished it has put in order what comes before
            break
        suspects.append(file)
    return [done for file in reversed(suspects) if (done := recovery.mend(file))]


def _not_synced(files: list[SegmentFile]) -> list[tuple[SegmentFile, Header, index.Index]]:
    """The newest first, up to one of which a part is known to be on disk: so is everything before it."""
    found = []
    for file in reversed(files):
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = read_header(fd, file.path)
        finally:
            os.close(fd)
        known = index.brief(file, header.start_timestamp)
        found.append((file, header, known))
        if known.synced > START:
            break
    return found
