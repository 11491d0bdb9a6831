"""Runs inside of the recorded process: scenarios, each in a forked child, each with a log of its own.

A scenario uses ringlog as a program does, and says around each call what it is about to write and what was
promised when the call returned: `history.py` reads these marks. It is started by `recorder.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from history import Event, payload

import ringlog
import ringlog.lock

CAPACITY = 1 << 16
STRIDE = CAPACITY // 64
Sync = Literal["none", "always"] | float
FIRST_TIMESTAMP = 1_700_000_000_000_000_000

library = ctypes.CDLL(os.environ.get("LD_PRELOAD", ""))
library.recorder_stores.restype = ctypes.c_uint64
library.recorder_kill_after.argtypes = [ctypes.c_uint64]
library.recorder_fail_sync.argtypes = [ctypes.c_uint64]


def mark(what: str, **more: Any) -> None:
    text = json.dumps({"what": what, **more}).encode()
    library.recorder_mark(text, len(text))


class Program:
    """A program that uses one ring, and keeps account of it in the log."""

    def __init__(self, path: str, label: int = 0) -> None:
        self.path = path
        self.label = label  # of the next event: each attempt has its own, so that no two are alike
        self.first_timestamp = FIRST_TIMESTAMP
        self.sync: Sync = "none"

    @contextlib.contextmanager
    def writer(self, sync: Sync) -> Iterator[ringlog.Writer]:
        self.sync = sync
        if not os.path.exists(self.path):
            ringlog.create(self.path, CAPACITY, max_readers=4)  # few: to look at each takes time
        writer = ringlog.Writer(self.path, capacity=CAPACITY, sync=sync, timeout=20)
        seen = ringlog.info(self.path)
        mark("opened", count=seen.event_count, stream=seen.stream_id)
        yield writer
        writer.close()
        # From here on only if nobody else has the ring open; what is durable is the same either way.
        mark("closed", synced=sync != "none")

    def event(self, size: int) -> Event:
        self.label += 1
        return Event(self.first_timestamp + self.label, self.label, size)

    def write(self, writer: ringlog.Writer, sizes: list[int], how: str = "append") -> None:
        """Publish events of these sizes in one call."""
        events = [self.event(size) for size in sizes]
        if how == "many":  # one time for all: as a batch has
            events = [event._replace(timestamp=events[0].timestamp) for event in events]
        if how == "claim":
            events = [event._replace(timestamp=0) for event in events]
        mark("writing", events=events)
        data = [payload(event.label, event.size) for event in events]
        if how == "append":
            assert len(data) == 1
            writer.append(data[0], timestamp=events[0].timestamp)
        elif how == "many":
            writer.append_many(data, timestamp=events[0].timestamp)
        else:
            with writer.claim(len(data[0])) as view:
                view[:] = data[0]
        mark("written", durable=self.sync == "always")

    def synced(self, writer: ringlog.Writer) -> None:
        mark("syncing")
        writer.sync()
        mark("synced")


# ---- scenarios ----


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
        failing_disk,
        failing_records,
        go_on,
        killed,
    )
}


def record(task: dict[str, Any]) -> None:
    """One scenario, in a process of its own, into one log."""
    assert library.recorder_begin(os.fsencode(task["log"])) == 0
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            folder = os.path.dirname(task["path"])
            os.mkdir(folder)
            if "image" in task:
                shutil.copyfile(task["image"], task["path"])
            if "boot_id" in task:
                boot_id = bytes.fromhex(task["boot_id"])
                ringlog.lock.boot_id = lambda: boot_id
            program = Program(task["path"], task.get("label", 0))
            SCENARIOS[task["scenario"]](program, random.Random(task["seed"]), **task.get("arguments", {}))
            mark("over")
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    library.recorder_end()
    if status:
        raise SystemExit(f"{task['scenario']} ended with status {status}")


if __name__ == "__main__":
    for line in sys.stdin:
        record(json.loads(line))
        print("recorded", flush=True)
