"""Kill -9 a writer at every single instruction between taking the lock and letting it go.

    python tests/writers/step_kills.py [--stride 1] [--call append|append_many|lap|recover]

The writer runs under ptrace, one instruction at a time from the one that takes the owner word; after k of
them it is killed. Then every reader sees what was published, all of the call's events or none, and the
next writer goes on. x86-64 only: elsewhere a stepped process may not get through an atomic operation.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from oracle import RingFile, decode
from writer_support import assert_consistent, plant_owner

import ringlog

TRACEME, SINGLESTEP = 0, 9
CALLS = ("append", "append_many", "lap", "recover")
BEHIND = 40  # instructions after the lock was let go: the token is posted there
CAPACITY = 1 << 16


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, pid: int) -> int:
    return int(_libc.ptrace(request, pid, None, None))


def possible() -> bool:
    """May this process trace its children?"""
    if os.uname().machine != "x86_64":
        return False
    child = os.fork()
    if child == 0:
        os._exit(0 if ptrace(TRACEME, 0) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def victim(path: str, call: str) -> None:
    """In a forked child: stops once, then makes the call."""
    if ptrace(TRACEME, 0) < 0:
        os._exit(3)
    writer = ringlog.Writer(path, timeout=30)
    batch = [b"victim %d" % k * 20 for k in range(12)]
    os.kill(os.getpid(), signal.SIGSTOP)
    if call == "append_many":
        writer.append_many(batch)
    else:
        writer.append(b"victim " * 20)
    os._exit(0)


class Stepped:
    """A forked writer, stopped behind the instruction that took the lock."""

    def __init__(self, path: str, call: str, file: RingFile) -> None:
        self.file = file
        self.published = file["write_offset"]
        self.pid = os.fork()
        if self.pid == 0:
            try:
                victim(path, call)
            finally:
                os._exit(2)
        status = os.waitpid(self.pid, 0)[1]
        assert os.WIFSTOPPED(status), status
        before = file["owner"]
        for _ in range(1_000_000):
            if file["owner"] != before:
                return
            self.step()
        raise AssertionError("it never took the lock")

    def step(self) -> None:
        assert ptrace(SINGLESTEP, self.pid) == 0
        status = os.waitpid(self.pid, 0)[1]
        assert os.WIFSTOPPED(status), status

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def append(path: str, data: bytes) -> int:
    with ringlog.Writer(path, timeout=30) as writer:
        return writer.append(data)


def prepare(path: str, call: str, file: RingFile) -> None:
    """Before each kill: what the victim is to find."""
    if call == "lap":  # no room for an event of the victim's size
        while file["write_offset"] + 16 + 140 - CAPACITY <= file["tail_offset"]:
            append(path, b"fill")
    if call == "recover":  # a holder that was killed in its publication
        file["event_count"] += 1
        file["last_timestamp"] += 10**12
        plant_owner(file)


def instructions(path: str, call: str, file: RingFile) -> int:
    """How many of them one call takes under the lock."""
    prepare(path, call, file)
    stepped = Stepped(path, call, file)
    count = 0
    while file["owner"]:
        stepped.step()
        count += 1
    stepped.kill()
    return count


def kill_at_every_step(path: str, call: str, stride: int) -> Counter[str]:
    """How often the call was published, and how often not. Raises AssertionError if anything is wrong."""
    ringlog.create(path, CAPACITY)
    with ringlog.Writer(path) as writer:
        for k in range(3000 if call == "lap" else 10):
            writer.append(b"event %d" % k)
    outcome: Counter[str] = Counter()
    with RingFile(path) as file, ringlog.Reader(path, start="oldest", on_overrun="skip") as live:
        under_lock = outcome["instructions under the lock"] = instructions(path, call, file)
        append(path, b"next")
        # The last ones closer: there it is published, let go, and posted.
        near, fine = under_lock - BEHIND, 1 + stride // 10
        for steps in [*range(0, near, stride), *range(near, under_lock + BEHIND, fine)]:
            prepare(path, call, file)
            while live.read_many(10_000):
                pass
            stepped = Stepped(path, call, file)
            try:
                for _ in range(steps):
                    stepped.step()
            finally:
                stepped.kill()
            outcome["kills"] += 1
            outcome["published" if file["write_offset"] != stepped.published else "not published"] += 1
            check_after_kill(path, call, file, live, stepped.published)
    return outcome


def check_after_kill(path: str, call: str, file: RingFile, live: ringlog.Reader, before: int) -> None:
    """Every reader sees what was published, whole or not at all, and the next writer goes on."""
    seen = {event.sequence: event for event in decode(path)}
    head = file.pair("head")
    fresh = [event.data for event in live.read_many(10_000)]
    size = 12 if call == "append_many" else 1
    assert [data[:6] for data in fresh] == ([b"victim"] * size if head.position != before else [])
    assert append(path, b"next") == head.sequence
    assert [event.data for event in live.read_many(10_000)] == [b"next"]
    after = decode(path)
    assert [seen.get(event.sequence) for event in after[:-1]] == after[:-1]
    assert [event.timestamp for event in after] == sorted(event.timestamp for event in after)
    assert after[-1].timestamp < time.time_ns() + 10**9
    assert file.pair("gate") == file.pair("tail")
    assert_consistent(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--call", choices=CALLS, action="append")
    arguments = parser.parse_args()
    if not possible():
        print("this process may not trace its children")
        return 0
    for call in arguments.call or CALLS:
        folder = tempfile.mkdtemp(
            prefix="ringlog-step-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
        )
        path = os.path.join(folder, "ring")
        try:
            print(f"{call}: {dict(kill_at_every_step(path, call, arguments.stride))}", flush=True)
        finally:
            ringlog.unlink(path)
            os.rmdir(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
