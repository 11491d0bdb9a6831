"""Which programme reaches which point, what can't be reached where, and the steps of the policy in Python."""

from __future__ import annotations

from types import FunctionType

import points_build
from points_planted import (
    Durable,
    DurableClose,
    DurableLap,
    DurableRecover,
    Lap,
    Queue,
    Reap,
    Recover,
    Renew,
    Restart,
    Room,
    Swallow,
)  # fmt: skip
from points_programmes import (
    Array,
    Claims,
    Close,
    Create,
    End,
    Forget,
    Many,
    Open,
    Programme,
    Session,
    Unlink,
    Wake,
)  # fmt: skip
from points_readers import (
    Batches,
    CloseNamed,
    CloseReader,
    Join,
    JoinNamed,
    Loss,
    Moved,
    Named,
    Read,
    Sleeps,
    Views,
    Wakes,
)  # fmt: skip
from points_runs import JumpForget, JumpReap, JumpRecover, Jumps, Runs, TakeRuns

from ringlog import files, liveness, lock, reader, ring, slots, writer

ACTIONS = ("kill", "stop", "abort")
SCENARIOS = ("lone", "contending", "lossless", "sleeping")
APPENDS = [Programme, Session, Many]

# The point, or what its name begins with: the programmes that reach it.
REACHED: dict[str, list[type[Programme]]] = {
    "lease_taken": [Open, Join],
    "writer_slot_": [Open],
    "writer_slot_freed": [Close],
    "writer_attached": [Open],
    "reader_slot_": [Join, JoinNamed],
    "reader_slot_released": [CloseReader, CloseNamed],
    "reader_attached": [Join],
    "restart_": [Restart],
    "lock_": [Programme],
    "lock_not_free": [Swallow],
    "lock_waited": [Queue],
    "lock_won": [Queue],
    "lock_asked": [Swallow],
    "lock_replaced": [Recover],
    "lock_recovered": [Recover],
    "unlock_": [Programme, Claims],
    "recover_": [Recover],
    "recover_jump": [JumpRecover, JumpForget],
    "room_": [Room],
    "room_free": [Lap],
    "room_reaped": [Room, Reap, JumpReap],
    "append_begun": APPENDS,
    "entry_copied": APPENDS,
    "entry_sealed": [Programme, Array, Claims],
    "mark_": [Programme, Many],
    "item_put": [Many],
    "row_put": [Array],
    "claim_": [Claims],
    "run_": [Runs],
    "run_taken": [TakeRuns],
    "jump_": [Jumps],
    "commit_": [Durable],
    "commit_stored": [Durable, DurableLap],
    "commit_synced": [Durable, DurableLap],
    "commit_dropped": [DurableRecover],
    "clean_set": [DurableClose],
    "publish_": [Programme, Many],
    "wake_": [Wake],
    "end_": [End],
    "removed_": [Unlink],
    "join_": [Join, JoinNamed],
    "join_moved": [Moved],
    "read_copied": [Read, Named],
    "column_copied": [Batches],
    "view_": [Views],
    "cursor_": [Read, Named],
    "cursor_woke": [Wakes],
    "loss_noted": [Loss],
    "loss_told": [Named, Loss],
    "sleep_": [Sleeps],
    "writer_stopping": [Close, Session],
    "writer_detached": [Close],
    "reader_stopping": [CloseReader],
    "reader_detached": [CloseReader, CloseNamed],
    "lease_dropped": [Close, CloseReader],
    "head_": [Programme, Session, Many, Jumps],
    "tail_": [Lap, Jumps],
    "gate_": [Lap, Room, Jumps],
}
# How often the point is passed before something happens there: inside a batch, not at its edge.
HITS = {"item_put": 5, "row_put": 5, "column_copied": 3, "lease_taken": 2}
NOBODY_SURVIVES = "nobody who has the ring open survives a crash of the machine; a lease would rule it out"
UNREACHABLE = {
    (Restart, "lossless"): NOBODY_SURVIVES,
    (Restart, "sleeping"): NOBODY_SURVIVES,
    (Moved, "lossless"): "a lossless reader that joined before would hold the gate back",
}


def programmes(point: str) -> list[type[Programme]]:
    """Of the longest beginning in the table."""
    return REACHED[max((name for name in REACHED if point.startswith(name)), key=len)]


PYTHON: dict[FunctionType, list[type[Programme]]] = {
    lock.acquire: [Queue, Swallow, Recover],
    lock.renew: [Renew],
    lock.Semaphore.renew: [Renew],
    lock.Semaphore._open: [Renew],
    lock.make_semaphore: [Renew],
    liveness.take_lease: [Open],
    liveness.owner_is_dead: [Recover],
    slots.claim_writer: [Open],
    slots.claim_reader: [Join, JoinNamed, Loss],
    slots._claim: [Join],
    slots.release_reader: [CloseReader, CloseNamed],
    slots.retire_if_dead: [Reap],
    files.attach: [Open],
    files.restart_after_crash: [Restart],
    writer.Writer.__init__: [Open],
    writer.Writer.close: [Close, Durable],
    writer.Writer._release: [Close],
    writer.Writer._close_clean: [Durable],
    writer.Writer._commit_clean: [Durable],
    writer.Writer._end_stream: [End],
    reader.Reader.__init__: [Join, JoinNamed],
    reader.Reader._release: [CloseReader, CloseNamed],
    reader.Reader._resume: [Loss],
    reader.Reader._go_to: [Join],
    ring._build: [Create],
    ring.unlink: [Unlink],
    ring.forget: [Forget],
}


def step_name(function: FunctionType) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"


FUNCTIONS = {step_name(function): function for function in PYTHON}
BY_NAME: dict[str, type[Programme]] = {
    kind.__name__: kind
    for table in (REACHED, PYTHON)
    for kinds in table.values()  # type: ignore[attr-defined]
    for kind in kinds
}


def names() -> list[str]:
    """Every point that a ring can pass. Those of logs are walked in tests/log_kills."""
    return [point for point in points_build.names() if not point.startswith(points_build.OF_LOGS)]


def native() -> list[tuple[str, str]]:
    """Every point with each programme that is to reach it."""
    return [(point, kind.__name__) for point in names() for kind in programmes(point)]


def policy() -> list[tuple[str, str]]:
    """Every function of the policy, as `module.function:*`, with each programme that is to run through it."""
    return [
        (f"{step_name(function)}:*", kind.__name__) for function, kinds in PYTHON.items() for kind in kinds
    ]
