"""Do the permissions of a ring, of its semaphore and of who runs go together?"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator

from ringlog import lock
from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding


def semaphore_access(seen: Examination) -> Iterator[Finding]:
    """Can whoever may write the ring use its semaphore, and nobody else?"""
    if seen.looks is None:
        return
    file = lock.file_of(lock.semaphore_name(seen.last.file_id))
    try:
        ring, semaphore = os.stat(seen.path), os.lstat(file)
    except OSError:
        return  # that it is missing is another check's
    evidence = {"semaphore": file, "mode": _octal(semaphore), "owner": semaphore.st_uid}
    evidence |= {"group": semaphore.st_gid, "ring_mode": _octal(ring), "ring_owner": ring.st_uid}
    evidence |= {"ring_group": ring.st_gid}
    if not lock.Access(stat.S_IMODE(ring.st_mode), ring.st_uid, ring.st_gid).trusts(semaphore):
        yield Finding(
            seen.path,
            "foreign-semaphore",
            "problem",
            f"its semaphore belongs to {user_name(semaphore.st_uid)}, who may not write the ring: writers "
            "don't use it, so each waits up to 50 ms longer where two meet",
            f"as that user or as root: rm {shlex.quote(file)} (writers make it again)",
            evidence,
        )
        return
    shut, loose = _shut_out(ring, semaphore), _let_in(ring, semaphore)
    if shut or loose:
        what = f"may write the ring, and may not use its semaphore: {', '.join(shut)}"
        cost = "such a writer waits up to 50 ms longer where two meet"
        if not shut:
            what = f"may use its semaphore, and may not write the ring: {', '.join(loose)}"
            cost = "they can make its writers wait longer"
        yield Finding(
            seen.path,
            "semaphore-access",
            "note",
            f"{what} (ring {_octal(ring)}, semaphore {_octal(semaphore)}); {cost}",
            "give the semaphore the ring's owner, group and mode: "
            f"ringlog doctor --fix {shlex.quote(seen.path)}",
            evidence,
        )


def open_to_all(seen: Examination) -> Iterator[Finding]:
    """May everybody write it?"""
    if seen.looks is None:
        return
    try:
        mode = os.stat(seen.path).st_mode
    except OSError:
        return
    if mode & stat.S_IWOTH:
        yield Finding(
            seen.path,
            "open-to-all",
            "note",
            "every user of this machine may write it, and so destroy what it holds",
            f"if that is not meant: chmod o-w {shlex.quote(seen.path)}",
            {"mode": f"{stat.S_IMODE(mode):04o}"},
        )


def not_ours(seen: Examination) -> Iterator[Finding]:
    """What can the user who runs this not do with it?"""
    if seen.looks is None:
        return
    try:
        ring, folder = os.stat(seen.path), os.stat(os.path.dirname(seen.path))
    except OSError:
        return
    me, owner = user_name(os.geteuid()), user_name(ring.st_uid)
    evidence = {"owner": ring.st_uid, "user": os.geteuid(), "mode": _octal(ring)}
    if not os.access(seen.path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        yield Finding(
            seen.path,
            "read-only",
            "note",
            f"{me} may read it only (owner {owner}, mode {_octal(ring)}): no writer, no lossless or named "
            "reader; lossy readers are not woken, and look each millisecond",
            "if more is meant, share it by a group: chgrp and chmod g+w the ring, then ringlog doctor --fix",
            evidence,
        )
    elif (
        folder.st_mode & stat.S_ISVTX
        and folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        and ring.st_uid not in (os.geteuid(), folder.st_uid)
        and os.geteuid() != 0
    ):
        yield Finding(
            seen.path,
            "shared-folder",
            "note",
            f"it belongs to {owner}, in a directory where everybody may put files: a Writer of {me} will not "
            "take it for its own",
            "share rings in a directory that only one user writes to",
            evidence,
        )


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _octal(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"


def _shut_out(ring: os.stat_result, semaphore: os.stat_result) -> list[str]:
    """Who may write the ring but not use the semaphore."""
    others = _both(semaphore, 0o006)
    group = others or (_both(semaphore, 0o060) and semaphore.st_gid == ring.st_gid)
    owner = group or (_both(semaphore, 0o600) and semaphore.st_uid == ring.st_uid) or ring.st_uid == 0
    found = [] if owner or not ring.st_mode & 0o200 else [user_name(ring.st_uid)]
    found += [] if group or not ring.st_mode & 0o020 else [f"group {ring.st_gid}"]
    return found + ([] if others or not ring.st_mode & 0o002 else ["everybody"])


def _let_in(ring: os.stat_result, semaphore: os.stat_result) -> list[str]:
    """Who may use the semaphore but not write the ring."""
    if semaphore.st_mode & 0o002 and not ring.st_mode & 0o002:
        return ["everybody"]
    group = semaphore.st_mode & 0o020 and not ring.st_mode & 0o022
    return [f"group {semaphore.st_gid}"] if group else []


def _both(status: os.stat_result, bits: int) -> bool:
    """To read and to write: a semaphore is opened for both."""
    return status.st_mode & bits == bits
