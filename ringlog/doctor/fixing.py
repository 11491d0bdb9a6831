"""Doing what is safe about findings. Safe: no event is lost, no living process is touched, and the next
writer or reader would do the same, or would not notice.

What needs a judgement (which process to end, which ring to remove, how a machine is set up) is not done here.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ringlog import _core, describe, files, liveness, slots
from ringlog.bridge.boards import read_board
from ringlog.doctor.finding import Finding
from ringlog.doctor.leftovers import KINDS, unused_among
from ringlog.errors import RinglogError
from ringlog.words import count
from ringlog.writer import Writer

PATIENCE = 2.0  # seconds for the write lock: whoever has it needs no fix


@dataclass(frozen=True)
class Fix:
    """One safe step. text: what it does, as an order. do: does it, after looking again, and returns what was
    done; raises OSError or RinglogError."""

    check: str
    path: str
    text: str
    do: Callable[[], str]


def fixes(findings: Iterable[Finding]) -> list[Fix]:
    """What can be done about these findings, in the order in which it should be done."""
    findings = list(findings)
    restarted = {finding.path for finding in findings if finding.check == "restarted"}
    found: dict[tuple[str, str], Fix] = {}
    for finding in findings:
        make = _MAKERS.get(finding.check)
        if make is not None and not (make is _take_lock_once and finding.path in restarted):
            text, do = make(finding)
            found.setdefault((finding.path, text), Fix(finding.check, finding.path, text, do))
    return sorted(found.values(), key=lambda fix: _ORDER.index(fix.check))


Step = tuple[str, Callable[[], str]]


# ---- files ----


def _remove_leftovers(finding: Finding) -> Step:
    paths: list[str] = finding.evidence["paths"]
    what = count(len(paths), "file")
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")

    def do() -> str:
        removed = 0
        for path in unused_among(paths):  # somebody may have opened one since
            with contextlib.suppress(FileNotFoundError):
                _unlink_there(path)
                removed += 1
        return f"removed {count(removed, 'file')}"

    return f"remove {what} ({KINDS[finding.check]}): {shown}", do


def _remove_board(finding: Finding) -> Step:
    file: str = finding.evidence["board"]

    def do() -> str:
        board = read_board(file)
        if board is None or board.life not in ("killed", "over"):  # started again since
            return "there is nothing left to remove"
        _unlink_there(os.path.join(os.path.realpath(os.path.dirname(file)), os.path.basename(file)))
        return f"removed {file}"

    return f"remove what a push or pull has left: {file}", do


def _unlink_there(path: str) -> None:
    """Remove a file whose path had no links in it, unless another user has put one there since."""
    place, name = os.path.split(path)
    folder = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.readlink(f"/proc/self/fd/{folder}") != place:
            raise RinglogError(f"{path} is not where it was: nothing was done")
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


# ---- rings ----


def _take_lock_once(finding: Finding) -> Step:
    path = finding.path

    def do() -> str:
        mapping, _ = files.attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)
        if files.outlived_its_boot(mapping):
            raise RinglogError("the machine has restarted since: ringlog repair says what that means")
        with Writer(path, timeout=PATIENCE) as writer:
            # Getting the lock puts in order what the dead left; who has it may take out surplus tokens.
            writer._with_lock(writer._semaphore.drain)
        return "took the write lock and gave it back, in order"

    return "take the write lock once, as the next writer does, and publish nothing", do


def _free_reader_slots(finding: Finding) -> Step:
    path = finding.path

    def do() -> str:
        mapping, _ = files.attach(path, os.O_RDWR, _core.MAP_ANNOUNCE, populate=False)
        ring = mapping.snapshot()
        freed = 0
        for slot, _epoch in describe.readers_of(path, mapping, ring):
            seen = slots.reader_slot(mapping, slot)
            dead = seen.status == _core.SLOT_ACTIVE and not mapping.held(liveness.reader_offset(slot))
            if dead and not seen.name and slots.retire_if_dead(mapping, slot):
                freed += 1
        return f"freed {count(freed, 'reader slot')}"

    return "free the slots of readers that have died; kept names stay", do


def _free_writer_slots(finding: Finding) -> Step:
    path = finding.path

    def do() -> str:
        mapping, _ = files.attach(path, os.O_RDWR, _core.MAP_ANNOUNCE, populate=False)
        table = liveness.take_lease(mapping, _core.TABLE_LEASE)  # nobody claims a slot meanwhile
        freed = 0
        try:
            for slot in range(_core.MAX_WRITERS):
                seen = slots.writer_slot(mapping, slot)
                owner = mapping.snapshot()["owner"]
                if seen.status != _core.SLOT_ACTIVE or describe.owner_of(owner) == (slot, seen.epoch):
                    continue
                lease = mapping.lease(liveness.writer_offset(slot))
                if lease is not None:
                    mapping.free_writer(slot, seen.epoch)
                    lease.drop()
                    freed += 1
        finally:
            table.drop()
        return f"freed {count(freed, 'writer slot')}"

    return "free the slots of writers that have died", do


def _set_semaphore_access(finding: Finding) -> Step:
    evidence, path = finding.evidence, finding.path
    file: str = evidence["semaphore"]

    def do() -> str:
        ring = os.stat(path)
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode) or seen.st_nlink != 1:
                raise RinglogError(f"{file} is not what it was: nothing was done")
            if (seen.st_uid, seen.st_gid) != (ring.st_uid, ring.st_gid):
                os.fchown(fd, ring.st_uid if os.geteuid() == 0 else -1, ring.st_gid)
            os.fchmod(fd, ring.st_mode & 0o666)
        finally:
            os.close(fd)
        return f"set {file} to mode {ring.st_mode & 0o666:04o}"

    mode = int(evidence["ring_mode"], 8) & 0o666
    return f"give its semaphore the ring's owner, group and mode ({mode:04o}): {file}", do


_MAKERS: dict[str, Callable[[Finding], Step]] = {
    "semaphore-access": _set_semaphore_access,
    "dead-owner": _take_lock_once,
    "semaphore": _take_lock_once,
    "dead-writer": _free_writer_slots,
    "dead-reader": _free_reader_slots,
    "killed-bridge": _remove_board,
    "failed-bridge": _remove_board,
    **dict.fromkeys(KINDS, _remove_leftovers),
}
_ORDER = list(_MAKERS)
