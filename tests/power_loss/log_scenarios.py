"""What recorded programs do with a log."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from unittest import mock

from history import payload
from program import Program, Sync, library, mark

import ringlog

SEGMENT = 12_000  # bytes: some three pages
SIZES = (0, 30, 400, 2000, 5000)


class LogProgram(Program):
    """A program that uses one log, and keeps account of it in the recording."""

    @contextlib.contextmanager
    def log(self, sync: Sync, segment_bytes: int = SEGMENT, **options: int) -> Iterator[ringlog.LogWriter]:
        self.sync = sync
        mark("opening")
        writer = ringlog.LogWriter(self.path, segment_bytes=segment_bytes, sync=sync, **options)
        mark("opened", count=writer.sequence, always=sync == "always")
        yield writer
        writer.close()
        mark("closed", synced=sync != "none")


def some(program: LogProgram, writer: ringlog.LogWriter, dice: random.Random, count: int) -> None:
    """So many calls, of each way to append."""
    for _ in range(count):
        if dice.random() < 0.3:
            program.write(writer, [dice.choice(SIZES) for _ in range(dice.randint(1, 5))], "many")
        else:
            program.write(writer, [dice.choice(SIZES)])


def log_always(program: LogProgram, dice: random.Random) -> None:
    """Every append on disk; several segments; a batch larger than a page, and one larger than a segment."""
    with program.log("always") as writer:
        some(program, writer, dice, 16)
        program.write(writer, [3000] * 3, "many")
        program.write(writer, [5000] * 3, "many")
        some(program, writer, dice, 3)


def log_asked_for(program: LogProgram, dice: random.Random, naive: str = "") -> None:
    """sync="none" and sync() now and then, a roll or more in between. naive: a function that does nothing."""
    forgotten = mock.patch(naive) if naive else contextlib.nullcontext()
    with forgotten, program.log("none") as writer:
        for count in (2, 9, 14, 1):
            some(program, writer, dice, count)
            program.synced(writer)
        some(program, writer, dice, 9)


def log_never_asked_for(program: LogProgram, dice: random.Random) -> None:
    with program.log("none") as writer:
        some(program, writer, dice, 25)
    with program.log("none") as writer:
        some(program, writer, dice, 5)


def log_interval(program: LogProgram, dice: random.Random) -> None:
    """Synced every so often by the writer's own thread, as it falls."""
    with program.log(0.02) as writer:
        for _ in range(3):
            some(program, writer, dice, 6)
            time.sleep(0.02)  # for the thread to have its turn, or not
            some(program, writer, dice, 4)
            program.synced(writer)


def log_taken_over(program: LogProgram, dice: random.Random) -> None:
    """What a writer without syncs left is on disk before anything behind it is promised."""
    for sync in ("always", 60.0):
        with program.log("none") as writer:
            some(program, writer, dice, dice.choice([3, 12]))
        with program.log(sync) as writer:
            some(program, writer, dice, 4)
            if sync != "always":
                program.synced(writer)
                some(program, writer, dice, 4)


def log_kept_short(program: LogProgram, dice: random.Random) -> None:
    """Retention: what it removes may be there yet, or not; the rest is."""
    with program.log("always", keep_segments=2) as writer:
        for _ in range(24):
            there = sorted(name for name in os.listdir(program.path) if name.endswith(".events"))
            if len(there) > 1:
                mark("may_go", before=int(there[1][:20]))
            some(program, writer, dice, 1)


def log_indexed(program: LogProgram, dice: random.Random) -> None:
    """Segments with points in their indexes, closed without a sync, and written on."""
    for sync in ("none", 60.0, "none"):
        with program.log(sync, segment_bytes=700_000) as writer:
            for _ in range(3):
                program.write(writer, [90_001])
                program.write(writer, [11])
            if sync != "none":
                program.synced(writer)


def log_recorded(program: LogProgram, dice: random.Random) -> None:
    """A ring's stream, each run on disk before the ring's cursor moves."""
    ring = f"{os.path.dirname(program.path)}/ring"
    with ringlog.Writer(ring, capacity=1 << 16) as writer:
        for count in (9, 5):
            events = [program.event(dice.choice(SIZES)) for _ in range(count)]
            mark("writing", events=events, parts=True)
            for event in events:
                writer.append(payload(event.label, event.size), timestamp=event.timestamp)
            ringlog.record(
                ring,
                program.path,
                segment_bytes=SEGMENT,
                sync="always",
                stop=lambda: True,
                progress=lambda count, _bytes: mark("part", count=count),
            )
            mark("written", durable=True)
    ringlog.unlink(ring)


def log_killed(program: LogProgram, dice: random.Random, sync: Sync, stores: int) -> None:
    """A writer is killed behind one of its stores; another one goes on."""
    with program.log(sync) as writer:
        some(program, writer, dice, 4)
    pid = os.fork()
    if pid == 0:
        with program.log(sync) as writer:
            library.recorder_kill_after(stores)
            for _ in range(30):
                program.write(writer, [4000])
                program.write(writer, [600, 600], "many")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    library.recorder_kill_after(0)
    program.label += 1000
    with program.log("always") as writer:
        for _ in range(3):
            program.write(writer, [600])


def log_go_on(program: LogProgram, dice: random.Random) -> None:
    """After a reboot: recovery, then what a program does next, first without syncs."""
    program.first_timestamp = time.time_ns()
    with program.log("none") as writer:
        some(program, writer, dice, 6)
    with program.log("always") as writer:
        some(program, writer, dice, 4)


LOG_SCENARIOS: dict[str, Callable[..., None]] = {
    scenario.__name__: scenario
    for scenario in (
        log_always,
        log_asked_for,
        log_never_asked_for,
        log_interval,
        log_taken_over,
        log_kept_short,
        log_indexed,
        log_recorded,
        log_killed,
        log_go_on,
    )
}
