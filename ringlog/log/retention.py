"""Keeping a log short: which segments may go, and letting them go, the oldest first."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

from ringlog.errors import RinglogError
from ringlog.log.segments import Files, SegmentFile, first_timestamp


@dataclass(frozen=True)
class Keep:
    """What is to stay: bytes in all, seconds since the newest event of a segment, segments. None: all."""

    bytes: int | None = None
    age: float | None = None
    segments: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("bytes", 0), ("age", 0), ("segments", 1)):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float) if name == "age" else int):
                raise TypeError(f"keep_{name} must be a number or None, not {type(value).__name__}")
            if not value >= least:
                raise ValueError(f"keep_{name} must be {least} or more, not {value}")


def apply(files: Files, keep: Keep) -> list[SegmentFile]:
    """Remove the oldest segments until all limits hold; never the last. Those that were removed."""
    removed: list[SegmentFile] = []
    if keep == Keep():
        return removed
    there = list(files.now())
    total = sum(map(_size, there))
    while len(there) > 1 and _too_much(there, total, keep):
        oldest = there.pop(0)
        total -= _size(oldest)
        for path in (oldest.index_path, oldest.path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        removed.append(oldest)
    return removed


def _too_much(there: list[SegmentFile], total: int, keep: Keep) -> bool:
    if keep.segments is not None and len(there) > keep.segments:
        return True
    if keep.bytes is not None and total > keep.bytes:
        return True
    if keep.age is None:
        return False
    try:
        newer = first_timestamp(there[1].path)  # nothing in the oldest one is newer than this
    except (RinglogError, OSError):  # damaged: that is not for who writes to find out
        newer = None
    ended = newer if newer is not None else _written(there[0])
    return time.time_ns() - ended > keep.age * 1e9


def _size(file: SegmentFile) -> int:
    try:
        return os.stat(file.path).st_size
    except FileNotFoundError:
        return 0


def _written(file: SegmentFile) -> int:
    try:
        return os.stat(file.path).st_mtime_ns
    except FileNotFoundError:
        return 0
