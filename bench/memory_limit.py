"""A control group with so much memory, page cache included, for processes that a benchmark starts."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

# Where groups are made, and what says how much memory one has: version 2 of control groups, then 1.
PLACES = ((Path("/sys/fs/cgroup"), "memory.max"), (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"))


@contextlib.contextmanager
def limited(megabytes: int | None) -> Iterator[str | None]:
    """The group's folder, to be given to `enter`; None without a limit, or where no group can be made."""
    group = _made(megabytes) if megabytes else None
    if megabytes and group is None:
        print(f"no control group can be made here: without a limit of {megabytes} MB\n")
    try:
        yield str(group) if group else None
    finally:
        if group:
            _remove(group)


def _made(megabytes: int) -> Path | None:
    for root, limit in PLACES:
        group = root / f"ringlog-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / limit).exists():
                (group / limit).write_text(str(megabytes << 20), encoding="ascii")
                return group
        except OSError:
            pass
        group.rmdir()
    return None


def _remove(group: Path) -> None:
    for _ in range(100):  # processes that have ended may still be listed
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)


def enter(group: str | None) -> None:
    """From here on this process, and what it starts, has the group's memory."""
    if group:
        Path(group, "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


__all__ = ["enter", "limited"]
