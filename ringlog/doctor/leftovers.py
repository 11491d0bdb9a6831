"""What processes that were killed have left in a folder of rings, beside the rings."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator

from ringlog import lock, users
from ringlog.doctor.finding import Finding

_SEMAPHORE = re.compile(r"sem\.ringlog-[0-9a-f]{32}")
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")
_FILE_ID_OFFSET = 144


def leftovers(folder: str, rings: Iterable[str]) -> Iterator[Finding]:
    """Semaphores whose ring is not among these, and files that were to become rings; nobody has them open.

    A finding a kind; its evidence names the files.
    """
    known = {f"sem.{lock.semaphore_name(_file_id(ring))[1:]}" for ring in rings}
    names = sorted(os.listdir(folder))
    orphans = _unused(folder, [name for name in names if _SEMAPHORE.fullmatch(name) and name not in known])
    unfinished = _unused(folder, [name for name in names if _UNFINISHED.fullmatch(name)])
    if orphans:
        yield Finding(
            folder,
            "orphan-semaphores",
            "note",
            f"{len(orphans)} semaphores of rings that are not in this folder; nobody seen has them open",
            f"if their rings are nowhere else either, they can go: {_remove(orphans)}",
            {"paths": orphans},
        )
    if unfinished:
        yield Finding(
            folder,
            "unfinished-rings",
            "note",
            f"{len(unfinished)} rings that were never finished; nobody seen has them open",
            f"they can go: {_remove(unfinished)}",
            {"paths": unfinished},
        )


def _remove(paths: list[str]) -> str:
    return f"rm {shlex.quote(paths[0])}" + (" and so on, by --json" if len(paths) > 1 else "")


def _file_id(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return bytes(16)
    try:
        return os.pread(fd, 16, _FILE_ID_OFFSET)
    finally:
        os.close(fd)


def _unused(folder: str, names: list[str]) -> list[str]:
    """Those that no process has mapped. What can't be looked at is not said to be unused."""
    if not names:
        return []
    used = set().union(*(users.mapped(pid) for pid in users.processes()))
    found = []
    for name in names:
        path = os.path.join(folder, name)
        try:
            if not users.place_of(path) & used:
                found.append(path)
        except (OSError, ValueError):  # gone meanwhile; empty
            continue
    return found
