"""Who is alive: leases decide, the process table is evidence for people.

A lease is a lock that the kernel holds on a slot's first byte for as long as one mapping exists in one
process. It goes when that process dies, however it dies; forked children do not inherit it, and no
stray `close()` can lose it. Pids come back and cross containers, so they decide nothing.
"""

from __future__ import annotations

import os
import time

import psutil

from ringlog import _core
from ringlog.events import State

_STOPPED = {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}


def writer_offset(slot: int) -> int:
    """The byte whose lock is the lease of a writer slot."""
    return _core.WRITERS_OFFSET + slot * _core.WRITER_SLOT_SIZE


def reader_offset(slot: int) -> int:
    """The byte whose lock is the lease of a reader slot."""
    return _core.READERS_OFFSET + slot * _core.READER_SLOT_SIZE


def own_identity() -> tuple[int, int]:
    """This process: its pid, and when it started (Unix nanoseconds)."""
    pid = os.getpid()
    return pid, _start_time(psutil.Process(pid))


def _process(pid: int) -> psutil.Process:
    """The process, or psutil.Error; also for a number out of a file that can be no pid."""
    if not 1 <= pid < 1 << 31:
        raise psutil.NoSuchProcess(pid)
    return psutil.Process(pid)


def _start_time(process: psutil.Process) -> int:
    return int(process.create_time() * 1_000_000_000)


def owner_is_dead(mapping: _core.Mapping, slot: int, epoch: int) -> bool:
    """Is the writer that held (slot, epoch) gone? Only then may the lock be taken from it."""
    if slot >= _core.MAX_WRITERS:
        return True  # no writer writes such a word: somebody scribbled on it
    held = mapping.held(writer_offset(slot))
    # In this order: a slot is leased before its epoch moves, so an old epoch seen now was the owner's
    # when the lease was asked about.
    return not held or mapping.writer_slot(slot)[0] != epoch


def describe(pid: int, start_time: int) -> str:
    """A process as a person would look for it: "pid 123 (python), stopped"."""
    try:
        process = _process(pid)
        if abs(_start_time(process) - start_time) > 2_000_000_000:
            return f"pid {pid} (the number belongs to another process by now)"
        name, status = process.name(), process.status()
    except psutil.Error:
        return f"pid {pid} (not visible from here)"
    return f"pid {pid} ({name})" + (", stopped" if status in _STOPPED else "")


def state(pid: int, start_time: int, *, alive: bool, active: bool) -> State:
    """One word for a slot's holder. `alive` is what its lease says."""
    if not alive:
        return "dead"
    try:
        process = _process(pid)
        if process.status() in _STOPPED and abs(_start_time(process) - start_time) <= 2_000_000_000:
            return "stopped"
    except psutil.Error:
        pass  # not visible from here, in another container say: the lease still counts
    return "active" if active else "idle"


def take_lease(mapping: _core.Mapping, offset: int, timeout: float = 10.0) -> _core.Lease:
    """A lease that others hold only for moments, waiting for it. A killed holder's is free at once.

    Raises TimeoutError if whoever has it, though alive, does not go on.
    """
    deadline = time.monotonic() + timeout
    while (lease := mapping.lease(offset)) is None:
        if time.monotonic() >= deadline:
            raise TimeoutError("another process is stuck while it attaches to this ring")
        time.sleep(0.001)
    return lease
