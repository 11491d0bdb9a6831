"""`ringlog.repair`: what recovery would do to a ring or a log, and doing it. Nothing else is repaired."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from ringlog import _core, files, verify_log
from ringlog.errors import CorruptStream, StreamTruncated, WriterBusy
from ringlog.events import Repair
from ringlog.files import StrPath
from ringlog.verify_ring import dead_owner
from ringlog.verifying import kind_of, verify
from ringlog.writer import Writer

SEARCHED = 1 << 30  # bytes behind a bad entry: more than that is no torn end
EFFORT = 1 << 32  # bytes to checksum in the search for whole events in them
HOUR = 3_600_000_000_000
PATIENCE = 10.0  # seconds for the lock, and to be told that somebody else has it


def repair(path: StrPath, *, apply: bool = False) -> Repair:
    """Say what recovery would do to a ring or a log, and with apply do it. Returns a Repair.

    A ring: what a writer's death under the lock left half done is completed or undone; after a restart of
    the machine the ring goes back to its last commit record. A Writer that opens the ring does the same, by
    the same code. A ring whose lock is held by a live writer is left alone. A log: what was torn at its end
    is cut off, and a count that disagrees is written again; of a directory only the last segment is touched.
    Damage in the middle is reported and never touched.

    Without apply nothing is changed, and read permission is enough. Blocks for as long as reading it all
    takes. Raises what verify raises, WriterBusy (somebody else is about it), PermissionError, CorruptStream.
    """
    path = os.path.abspath(os.fspath(path))
    kind = kind_of(path)
    if kind == "ring":
        return _repair_ring(path, apply)
    file = path if kind == "log" else os.path.join(path, verify_log.segments(path)[-1])
    steps, done = _mend_log(file, apply)
    return Repair(path, "log", steps, done, verify(path))


# ---- rings ----


def _repair_ring(path: str, apply: bool) -> Repair:
    try:
        mapping, _ = files.attach(path, os.O_RDONLY, _core.MAP_READ, populate=False)
    except (CorruptStream, StreamTruncated):
        return Repair(path, "ring", (), False, verify(path))
    steps = _restart_steps(mapping) if files.outlived_its_boot(mapping) else _recovery_steps(mapping)
    if apply and steps:
        with Writer(path, timeout=PATIENCE) as writer:  # opening goes back to the commit record if need be,
            writer._with_lock(lambda: None)  # and whoever gets the lock puts in order what its holder left
    return Repair(path, "ring", tuple(steps), apply and bool(steps), verify(path))


def _restart_steps(mapping: _core.Mapping) -> list[str]:
    seen = mapping.snapshot()
    record = mapping.commit_record()
    if record is None or record[1][0] - record[0][0] > seen["capacity"]:
        return [
            "the machine has restarted and nothing was synced: begin with an empty window and a new stream id"
        ]
    tail, head, _, _ = record
    kept = (
        f"{_events(head[1] - tail[1])}, sequences {tail[1]} to {head[1] - 1}" if head > tail else "no event"
    )
    step = f"the machine has restarted: go back to the last commit record and keep {kept}"
    if seen["clean"] and mapping.words()[1] == head[0]:
        return [f"{step}; it was closed with everything on disk, so the stream goes on"]
    return [f"{step}; what came behind is dropped, and the stream gets a new id"]


def _recovery_steps(mapping: _core.Mapping) -> list[str]:
    dead = dead_owner(mapping)
    if dead is None:
        return []
    seen = mapping.snapshot()
    if not seen["whole"]:
        return []  # recovery refuses: no kill leaves a header like that
    steps = [f"take the write lock from {dead}"]
    if seen["jump"] == seen["tail_offset"]:
        steps.append(f"finish the jump to sequence {seen['tail_count']}")
    elif seen["jump"]:
        steps.append("forget a jump that has moved nothing yet")
    ahead = mapping.words()[2] - seen["event_count"]
    if ahead > 0:
        steps.append(f"undo a publication that was not finished ({_events(ahead)})")
    elif ahead < 0:
        steps.append(f"write event_count again: {seen['event_count']}")
    gate = mapping.gate()[0]
    if gate > seen["tail_offset"]:
        steps.append(f"take back the room that was asked for up to position {gate}")
    record = mapping.commit_record()
    if record is not None and record[1][0] > seen["write_offset"]:
        steps.append(f"drop the commit record for position {record[1][0]}, which was never published")
    return steps


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


# ---- logs ----


def _mend_log(path: str, apply: bool) -> tuple[tuple[str, ...], bool]:
    fd = os.open(path, (os.O_RDWR if apply else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if apply:
            _lock_log(fd, path)
        found = verify_log.walk(fd, lambda _events, _bytes: None)
        if found.count_differs:
            steps = (f"write event_count {found.sequence} instead of {found.event_count}",)
        elif found.why is not None and torn(fd, found, path):
            steps = (
                f"cut off what was torn at position {found.position} ({found.why}): "
                f"{_events(found.sequence)} kept",
            )
        else:
            return (), False
        if apply:
            with contextlib.suppress(FileNotFoundError):  # it may tell of what is cut off
                os.unlink(f"{path.removesuffix('.events')}.index")
            _write_log_end(fd, found, cut=found.why is not None)
        return steps, apply
    finally:
        os.close(fd)


def torn(fd: int, found: verify_log.Walked, path: str) -> bool:
    """Is the bad entry the end of what was written? Not if a whole one may stand behind it, nor if there is
    no whole one in front of it: then it may be no log at all, unless its name says so."""
    named = verify_log.SEGMENT.fullmatch(os.path.basename(path))
    if not found.position or (not found.sequence and not named):
        return False
    behind = found.position + 1
    left = max(0, min(found.size, found.write_offset) - behind)
    if left > SEARCHED:
        return False
    rest = verify_log.read_at(fd, behind, left)
    # Not from the last entry's time on: that time may be what is damaged.
    return _core.find_entry(rest, max(1, found.start_timestamp), time.time_ns() + HOUR, EFFORT) < 0


def _write_log_end(fd: int, found: verify_log.Walked, *, cut: bool) -> None:
    """Header first: between the two steps the file is whole, with something behind its end."""
    os.pwrite(fd, verify_log.HEADER.pack(found.position, found.sequence, 0)[:16], 0)
    os.fsync(fd)
    if cut:
        os.ftruncate(fd, found.position)
        os.fsync(fd)


def _lock_log(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WriterBusy(f"{path}: somebody else has locked this log") from None
