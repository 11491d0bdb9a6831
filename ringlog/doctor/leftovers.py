"""What processes that were killed have left in a folder of rings or logs, beside these."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import time
from collections.abc import Iterable, Iterator

from ringlog import lock, users
from ringlog.bridge.boards import SeenBoard, boards_below
from ringlog.doctor.finding import Finding
from ringlog.words import count

YOUNG = 60.0  # seconds: a file younger than this may well be in the making
_SEMAPHORE = re.compile(r"(sem\.ringlog-[0-9a-f]{32})(\.[0-9a-f]{16})?")
_UNFINISHED_RING = re.compile(r"\..+\.[0-9a-f]{32}")
_UNFINISHED_LOG = re.compile(r"\.[0-9]{20}\.events\.[0-9a-f]{16}|[0-9]{20}\.index\.[0-9a-f]{16}")
_UNFINISHED_BOARD = re.compile(r"\..+\.(push|pull)(-.+)?\.bridge\.[0-9]+")
_FILE_ID_OFFSET = 144

KINDS = {
    "orphan-semaphores": "semaphore of a ring that is not in this folder",
    "unfinished-rings": "ring that was never finished",
    "unfinished-logs": "file of a log that was never finished",
    "left-boards": "figures file of a push or pull that has ended, of a log or of a ring that is gone",
}
_PLURALS = {
    "orphan-semaphores": "semaphores of rings that are not in this folder",
    "unfinished-rings": "rings that were never finished",
    "unfinished-logs": "files of logs that were never finished",
    "left-boards": "figures files of pushes or pulls that have ended, of logs or of rings that are gone",
}


def leftovers(folder: str, rings: Iterable[str]) -> Iterator[Finding]:
    """Semaphores whose ring is not among these, and, here or in a folder below, files that were to become
    rings or parts of logs, and what a push or pull has left; older than a minute, and nobody has them open.

    A finding a kind; its evidence names the files, by paths without links.
    """
    known = {os.path.basename(lock.file_of(lock.semaphore_name(_file_id(ring)))) for ring in rings}
    found: dict[str, list[str]] = {check: [] for check in KINDS}
    root = os.path.realpath(folder)
    for name in sorted(os.listdir(root)):
        matched = _SEMAPHORE.fullmatch(name)
        if matched and (matched[1] not in known or matched[2]):
            found["orphan-semaphores"].append(os.path.join(root, name))
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if _UNFINISHED_LOG.fullmatch(name):
                found["unfinished-logs"].append(os.path.join(place, name))
            elif _UNFINISHED_RING.fullmatch(name):
                found["unfinished-rings"].append(os.path.join(place, name))
            elif _UNFINISHED_BOARD.fullmatch(name):
                found["left-boards"].append(os.path.join(place, name))
    found["left-boards"] += [board.file for board in boards_below(root) if _is_left(board)]
    unused = set(unused_among([path for paths in found.values() for path in paths]))
    for check, paths in found.items():
        if left := [path for path in paths if path in unused]:
            where = "if their rings are nowhere else either, they" if check == "orphan-semaphores" else "they"
            yield Finding(
                folder,
                check,
                "note",
                f"{count(len(left), KINDS[check]) if len(left) == 1 else f'{len(left)} {_PLURALS[check]}'}; "
                "nobody seen has them open",
                f"{where} can go: {_remove(left)}",
                {"paths": left},
            )


def _is_left(board: SeenBoard) -> bool:
    """Of one that does not run any more, and of no ring that is here: those are looked at with their ring."""
    path = board.figures.path
    return board.life in ("killed", "over") and (os.path.isdir(path) or not os.path.exists(path))


def unused_among(paths: list[str]) -> list[str]:
    """Those regular files that are no longer young, and that no process has mapped or open. What can't be
    looked at is not said to be unused."""
    candidates: dict[tuple[int, int], str] = {}
    for path in paths:
        with contextlib.suppress(OSError):  # gone meanwhile
            seen = os.lstat(path)
            ours = os.geteuid() in (0, seen.st_uid)  # of others' files we can't tell who has them open
            if ours and stat.S_ISREG(seen.st_mode) and time.time() - seen.st_mtime >= YOUNG:
                candidates[seen.st_dev, seen.st_ino] = path
    if not candidates:
        return []
    pids = list(users.processes())
    opened = set().union(*(users.opened(pid) for pid in pids))
    mapped = set().union(*(users.mapped(pid) for pid in pids))
    inodes = {inode for _, inode in mapped}
    found = []
    for place, path in candidates.items():
        if place in opened:
            continue
        try:
            if place[1] not in inodes or not users.place_of(path) & mapped:
                found.append(path)
        except (OSError, ValueError):  # gone meanwhile, or not ours to look at
            continue
    return sorted(found)


def _remove(paths: list[str]) -> str:
    if len(paths) == 1:
        return f"rm {shlex.quote(paths[0])}"
    return f"rm {shlex.quote(paths[0])} and so on, by --json; or ringlog doctor --fix"


def _file_id(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return bytes(16)
    try:
        return os.pread(fd, 16, _FILE_ID_OFFSET)
    finally:
        os.close(fd)
