"""Who is alive: leases decide, the process table is evidence for people.

A lease is a lock that the kernel holds on a slot's first byte for as long as one mapping exists in one
process. It goes when that process dies, however it dies; forked children do not inherit it, and no
stray `close()` can lose it. Pids come back and cross containers, so they decide nothing.

A process is known by its pid and by when it started. That is written down twice: as Unix time, for
people, and since the machine booted, because the Unix time of one and the same start moves whenever
somebody sets the clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from ringlog import _core
from ringlog.events import State

FROZEN = "F"  # our own letter, since /proc has none
STUCK_AFTER = 10.0  # seconds until a lease that is held for moments counts as stuck
STOPPED = {"T", "t", FROZEN}  # by a signal; by a debugger; together with its control group
_WORDS = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting for the kernel",
    "T": "stopped",
    "t": "stopped by a debugger",
    FROZEN: "frozen",
    "Z": "dead, and not yet waited for",
    "X": "dead",
}
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_UNIX_TOLERANCE = 2_000_000_000  # the machine's boot time is known to a second


class Identity(NamedTuple):
    """A process, as it stands in a slot. Nanoseconds; since_boot 0: not known."""

    pid: int
    start_time: int
    since_boot: int


class Sighting(NamedTuple):
    """A process, as the system shows it now. state: a letter, as in `ps`."""

    name: str
    state: str
    since_boot: int


def writer_offset(slot: int) -> int:
    """The byte whose lock is the lease of a writer slot."""
    return _core.WRITERS_OFFSET + slot * _core.WRITER_SLOT_SIZE


def reader_offset(slot: int) -> int:
    """The byte whose lock is the lease of a reader slot."""
    return _core.READERS_OFFSET + slot * _core.READER_SLOT_SIZE


# ---- processes ----


def own_identity() -> Identity:
    """This process."""
    pid = os.getpid()
    seen = sighted(pid)
    return Identity(pid, _start_time(pid) or 0, seen.since_boot if seen else 0)


def sighted(pid: int) -> Sighting | None:
    """What /proc shows of this pid; None if it shows nothing: gone, or not visible from here."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
        name = text[text.index(b"(") + 1 : text.rindex(b")")].decode(errors="replace")
        fields = text[text.rindex(b")") + 2 :].split()
        return Sighting(name, fields[0].decode(), int(fields[19]) * _TICK)
    except (OSError, ValueError, IndexError):
        return None


def _start_time(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).create_time() * 1_000_000_000)
    except psutil.Error:
        return None


def seen_as(identity: Identity) -> Sighting | None:
    """This very process, if it can be seen: not another one that has its number by now."""
    seen = sighted(identity.pid) if identity.pid > 0 else None
    if seen is None:
        return None
    if identity.since_boot:
        same = seen.since_boot == identity.since_boot
    else:
        start = _start_time(identity.pid)
        same = start is not None and abs(start - identity.start_time) <= _UNIX_TOLERANCE
    if not same:
        return None
    return seen if seen.state in STOPPED or not _frozen(identity.pid) else seen._replace(state=FROZEN)


def _frozen(pid: int) -> bool:
    """Is its control group frozen, as `docker pause` does it? /proc calls such a process sleeping."""
    try:
        groups = [line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
        for kind, group in groups:
            if kind == "":
                for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                    events = Path(root + group, "cgroup.events")
                    if events.exists() and "frozen 1" in events.read_text():
                        return True
            elif "freezer" in kind.split(","):
                state = Path("/sys/fs/cgroup/freezer" + group, "freezer.state")
                if state.exists() and state.read_text().strip() != "THAWED":
                    return True
    except (OSError, ValueError):
        pass  # gone meanwhile, or not to be told from here
    return False


def describe(identity: Identity) -> str:
    """A process as a person would look for it: "pid 123 (python), stopped"."""
    pid = identity.pid
    seen = seen_as(identity)
    if seen is not None:
        return f"pid {pid} ({seen.name})" + (", stopped" if seen.state in STOPPED else "")
    if sighted(pid) is not None:
        return f"pid {pid} (the number belongs to another process by now)"
    return f"pid {pid} (not visible from here)"


def condition(identity: Identity) -> str:
    """Name and state of the process in words: "python, sleeping"; or why there are none."""
    seen = seen_as(identity)
    if seen is not None:
        return f"{seen.name}, {_WORDS.get(seen.state, seen.state)}"
    return "gone, and its pid is another's by now" if sighted(identity.pid) is not None else "not visible"


def state(identity: Identity, *, alive: bool, active: bool) -> State:
    """One word for a slot's holder. `alive` is what its lease says."""
    if not alive:
        return "dead"
    seen = seen_as(identity)  # None, in another container say: the lease still counts
    if seen is not None and seen.state in STOPPED:
        return "stopped"
    return "active" if active else "idle"


# ---- leases ----


def owner_is_dead(mapping: _core.Mapping, slot: int, epoch: int) -> bool:
    """Is the writer that held (slot, epoch) gone? Only then may the lock be taken from it."""
    if slot >= _core.MAX_WRITERS:
        return True  # no writer writes such a word: somebody scribbled on it
    held = mapping.held(writer_offset(slot))
    # In this order: a slot is leased before its epoch moves, so an old epoch seen now was the owner's
    # when the lease was asked about.
    return not held or mapping.writer_slot(slot)[0] != epoch


def take_lease(mapping: _core.Mapping, offset: int, timeout: float | None = None) -> _core.Lease:
    """A lease that others hold only for moments, waiting for it. A killed holder's is free at once.

    timeout: seconds, ten by default. Raises TimeoutError if whoever has it, though alive, does not go on.
    """
    deadline = time.monotonic() + (STUCK_AFTER if timeout is None else timeout)
    while (lease := mapping.lease(offset)) is None:
        if time.monotonic() >= deadline:
            raise TimeoutError(
                "another process is stuck while it attaches to this ring (which one: ringlog doctor)"
            )
        time.sleep(0.001)
    return lease
