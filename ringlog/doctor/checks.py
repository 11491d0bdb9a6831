"""The checks: each takes an examination and yields what it found. A new one goes into `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ringlog import errors, liveness, lock, users
from ringlog.doctor.bridges import bridges
from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding, Severity
from ringlog.doctor.pace import falling_behind
from ringlog.doctor.permissions import not_ours, open_to_all, semaphore_access
from ringlog.doctor.readers import no_slots, readers
from ringlog.doctor.usage import forgotten, swapped, unread
from ringlog.doctor.writers import other_writers, semaphore, write_lock

Check = Callable[[Examination], Iterator[Finding]]
SECOND = 1_000_000_000
FURTHEST_AHEAD = 3600 * SECOND  # what a given timestamp may be ahead of the clock


def check(examination: Examination) -> list[Finding]:
    """Everything that is to be said about a ring, problems first."""
    found = [finding for one in CHECKS for finding in one(examination)]
    return sorted(found, key=lambda finding: finding.severity != "problem")


def readable(seen: Examination) -> Iterator[Finding]:
    """Is it a whole ring that this release knows?"""
    if seen.error is None:
        return
    damaged = isinstance(seen.error, (errors.CorruptStream, errors.StreamTruncated))
    yield Finding(
        seen.path,
        "damaged" if damaged else "unreadable",
        "problem",
        str(seen.error).removeprefix(seen.path + ": "),
        "keep a copy of the file if it matters, then make the ring again" if damaged else "",
        {"error": type(seen.error).__name__},
    )


def attaching(seen: Examination) -> Iterator[Finding]:
    """Is a process stuck while it attaches? Then no writer and no lossless reader can be opened."""
    if seen.looks is None or not all(look.attaching for look in seen.looks):
        return
    suspects = _stopped_users(seen.path)
    names = ", ".join(f"pid {pid} ({name})" for pid, name in suspects.items())
    whom = f"stopped, with the ring mapped: {names}" if names else "it can't be seen from here"
    yield Finding(
        seen.path,
        "stuck-attaching",
        "problem",
        f"a process is stuck while it attaches: no writer or lossless reader can be opened; {whom}",
        "; ".join(f"continue it: kill -CONT {pid}, or end it: kill -9 {pid}" for pid in suspects),
        {"pids": list(suspects)},
    )


def clock(seen: Examination) -> Iterator[Finding]:
    """Is the last event of a time that has not come yet? Then timestamps stand still until it has."""
    if seen.looks is None:
        return
    ahead = seen.last.last_timestamp - seen.last.now
    if ahead <= SECOND:
        return
    severity: Severity = "problem" if ahead > FURTHEST_AHEAD else "note"
    yield Finding(
        seen.path,
        "clock",
        severity,
        f"the last event is {ahead / SECOND:.0f} s ahead of the clock: until the clock gets there, events "
        "carry its timestamp, and none older can be given",
        "see why the clock was set; a new ring begins with the time that it is now",
        {"seconds_ahead": ahead / SECOND},
    )


def restarted(seen: Examination) -> Iterator[Finding]:
    """Has the machine restarted since the ring was used?"""
    if seen.looks is None:
        return
    now, then = lock.boot_id(), seen.last.boot_id
    in_use = any(one.leased for one in seen.last.info.writers + seen.last.info.readers)
    if any(now) and any(then) and now != then and not in_use:
        text = "the machine has restarted since; the next writer goes back to what is surely on disk"
        yield Finding(seen.path, "restarted", "note", text)


CHECKS: tuple[Check, ...] = (
    readable,
    write_lock,
    readers,
    falling_behind,
    no_slots,
    attaching,
    clock,
    unread,
    other_writers,
    semaphore,
    semaphore_access,
    open_to_all,
    not_ours,
    swapped,
    forgotten,
    restarted,
    bridges,
)


def _stopped_users(path: str) -> dict[int, str]:
    """Processes that have the file mapped and are stopped: pid and name."""
    found: dict[int, str] = {}
    try:
        pids = users.users_of(users.place_of(path))
    except OSError:
        return found  # removed since
    for pid in pids:
        seen = liveness.sighted(pid)
        if seen is not None and seen.state in liveness.STOPPED:
            found[pid] = seen.name
    return found
