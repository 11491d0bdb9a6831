"""What recorded programs do."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

from program import CAPACITY, Program, Sync, library, mark

import ringlog


def first_appends(program: Program, dice: random.Random) -> None:
    """A ring is made, and its first events are small, empty, and as large as fits."""
    with program.writer("always") as writer:
        program.write(writer, [20])
        program.write(writer, [0])
        program.write(writer, [CAPACITY // 2 - 16])


def sizes(program: Program, dice: random.Random) -> None:
    """Events smaller than a sector and larger than several pages, alone and in batches, for some laps."""
    with program.writer("always") as writer:
        for k in range(30):
            if k % 3 == 2:
                program.write(
                    writer, [dice.choice([0, 1, 100, 1500]) for _ in range(dice.randint(1, 9))], "many"
                )
            else:
                program.write(writer, [dice.choice([5, 480, 496, 4000, 9000, 20000])])


def exact_laps(program: Program, dice: random.Random) -> None:
    """Entries of one size that divides the capacity: later ones stand exactly where earlier ones stood."""
    with program.writer("always") as writer:
        for _ in range(4):
            program.write(writer, [2032] * 11, "many")
        for _ in range(12):
            program.write(writer, [2032])


def claims(program: Program, dice: random.Random) -> None:
    """Events written in place; one is dropped, and one is held by somebody when its block ends."""
    with program.writer("always") as writer:
        for k in range(12):
            program.write(writer, [dice.choice([10, 1000, 9000])], "claim")
            if k == 4:
                with contextlib.suppress(RuntimeError), writer.claim(2000) as view:
                    view[:] = b"\xee" * 2000
                    raise RuntimeError
            if k == 7:
                with contextlib.suppress(BufferError), writer.claim(2000) as view:
                    view[:] = b"\xdd" * 2000
                    held = view[1:]
        del held


def ended_and_reopened(program: Program, dice: random.Random) -> None:
    """end(), a clean close, and a later writer that goes on."""
    with program.writer("always") as writer:
        program.write(writer, [3000])
        mark("ending")
        writer.end()
        mark("ended")
    with program.writer("always") as writer:
        for _ in range(3):
            program.write(writer, [3000])


def asked_for(program: Program, dice: random.Random) -> None:
    """sync="none" and sync() now and then, for laps: what was synced last is there until it is lapped."""
    with program.writer("none") as writer:
        for k in range(45):
            # At first small ones: the tail passes all that the first record names in one step.
            program.write(writer, [100 if k < 3 else dice.choice([100, 3000, 9000])])
            if k % 22 == 2:
                program.synced(writer)


def never_asked_for(program: Program, dice: random.Random) -> None:
    with program.writer("none") as writer:
        for _ in range(25):
            program.write(writer, [dice.choice([100, 9000])])


def interval(program: Program, dice: random.Random) -> None:
    """Synced every so often by the writer's own thread, as it falls."""
    with program.writer(0.02) as writer:
        for k in range(60):
            program.write(writer, [dice.choice([100, 3000, 9000])])
            if k % 6 == 0:
                time.sleep(0.02)
            if k % 25 == 24:
                program.synced(writer)


def clean_then_unsynced(program: Program, dice: random.Random) -> None:
    """A clean close, then a writer that does not sync: its events are lost, and the stream is another one."""
    with program.writer(60.0) as writer:
        program.write(writer, [1000])
    with program.writer("none") as writer:
        for _ in range(3):
            program.write(writer, [1000])
    with program.writer(60.0) as writer:
        program.write(writer, [1000])


def two_writers(program: Program, dice: random.Random) -> None:
    """One that syncs always and one that never does take turns; the record vouches for both."""
    with ringlog.Writer(program.path, capacity=CAPACITY) as other, program.writer("always") as writer:
        for k in range(24):
            program.sync = "none" if k % 4 else "always"
            program.write(writer if program.sync == "always" else other, [dice.choice([100, 9000])])
        program.sync = "always"


def named_readers(program: Program, dice: random.Random) -> None:
    """A named reader that finishes events, and a lossless one without a name that only looks on."""
    with program.writer("always") as writer:
        program.write(writer, [500])
        with (
            ringlog.Reader(program.path, start="oldest", lossless=True) as lossless,
            ringlog.Reader(program.path, start="oldest", name="billing") as reader,
        ):
            program.write(writer, [500])
            mark("named", name="billing", finished=0)
            for k in range(10):
                assert reader.poll() is not None
                reader.commit()
                mark("named", name="billing", finished=k + 1)
                while lossless.poll() is not None:
                    pass
                program.write(writer, [dice.choice([500, 9000])])
        program.write(writer, [500])


def named_unsynced(program: Program, dice: random.Random) -> None:
    """A named reader finishes events that a power cut takes away again."""
    with program.writer("none") as writer:
        program.write(writer, [100])
        with ringlog.Reader(program.path, start="oldest", name="billing") as reader:
            mark("named", name="billing", finished=0)
            program.synced(writer)
            for k in range(7):
                assert reader.poll() is not None
                reader.commit()
                mark("named", name="billing", finished=k + 1)
                program.write(writer, [20])
                if k == 1:
                    program.synced(writer)


def jumps(program: Program, dice: random.Random) -> None:
    """A copy that has missed events: before its first one, twice in a row, before a sync and without any."""
    with program.writer("always") as writer:
        program.jump(writer, 7)
        for k in range(5):
            program.write(writer, [dice.choice([20, 600, 9000])])
            program.jump(writer, dice.choice([1, 300]))
            if k == 2:
                program.jump(writer, 2)
    with program.writer("none") as writer:
        for k in range(3):
            program.write(writer, [20, 600, 9000], "many")
            program.synced(writer)
            program.jump(writer, 300)
            for _ in range(7):  # they come round to what was synced, and the window is not full yet
                program.write(writer, [9000])
            program.jump(writer, dice.choice([1, 300]))
            if k == 1:
                program.synced(writer)
    with program.writer(60.0) as writer:
        program.write(writer, [600])
        program.jump(writer, 5)


def failing_disk(program: Program, dice: random.Random) -> None:
    """A sync fails, and the kernel forgets what it was to write. What a later writer vouches for is there."""
    with program.writer("always") as writer:
        program.write(writer, [600])
    for again in range(8):
        with contextlib.suppress(OSError), program.writer("always") as writer:
            with ringlog.Writer(program.path) as other:
                program.sync = "none"
                for _ in range(2):
                    program.write(other, [dice.choice([600, 5000, 9000])])
            program.sync = "always"
            library.recorder_fail_sync(again % 4 + 1)
            for _ in range(3):
                program.write(writer, [dice.choice([600, 5000])])
        library.recorder_fail_sync(
            again % 3 and 1
        )  # that of opening, or of closing, or of an append without sync
        with ringlog.Writer(program.path) as other, contextlib.suppress(OSError):
            program.sync = "none"
            for _ in range(6):
                program.write(other, [dice.choice([600, 5000, 9000])])
        library.recorder_fail_sync(0)
        with program.writer("always") as writer:
            program.write(writer, [100])


def failing_records(program: Program, dice: random.Random) -> None:
    """The newest record may not be on disk, and the next call is one that writes another record."""
    for _ in range(6):
        with contextlib.suppress(OSError), program.writer("always") as writer:
            program.write(writer, [700])
            program.write(writer, [700])
            library.recorder_fail_sync(2)  # data, record
            with contextlib.suppress(OSError):
                program.synced(writer)
        with program.writer("none") as other:
            program.synced(other)
            program.write(other, [700])


def go_on(program: Program, dice: random.Random) -> None:
    """After a reboot: recovery, then what a program does next."""
    program.first_timestamp = time.time_ns()  # behind those of claims, which are the clock's
    with program.writer("always") as writer:
        program.write(writer, [20] * 6, "many")  # at once further than a cursor that recovery has moved back
        for _ in range(3):
            program.write(writer, [dice.choice([30, 2032, 9000])])


def killed(program: Program, dice: random.Random, sync: Sync, stores: int) -> None:
    """A writer is killed behind one of its stores; another one goes on."""
    with program.writer(sync) as writer:
        for _ in range(dice.choice([2, 9])):
            program.write(writer, [9000])
        if sync != "always":
            program.synced(writer)
    pid = os.fork()
    if pid == 0:
        with program.writer(sync) as writer:
            library.recorder_kill_after(stores)
            for _ in range(20):
                program.write(writer, [9000], "append")
                program.write(writer, [600, 600], "many")
                if dice.random() < 0.4:
                    program.jump(writer, 3)
                if sync != "always":
                    program.synced(writer)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    library.recorder_kill_after(0)
    mark("killed")
    program.label += 1000
    with program.writer("always") as writer:
        for _ in range(3):
            program.write(writer, [600])


SCENARIOS: dict[str, Callable[..., None]] = {
    scenario.__name__: scenario
    for scenario in (
        first_appends,
        sizes,
        exact_laps,
        claims,
        ended_and_reopened,
        asked_for,
        never_asked_for,
        interval,
        clean_then_unsynced,
        two_writers,
        named_readers,
        named_unsynced,
        jumps,
        failing_disk,
        failing_records,
        go_on,
        killed,
    )
}
