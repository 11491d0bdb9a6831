"""What the tests of waits and their ends share."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from processes import Child, eventually

import ringlog
from ringlog import liveness

Spawn = Callable[..., Child]

# Holds the lock from open to close, until it is told to let go.
SESSION = """
writer = ringlog.Writer(path, lock="session")
writer.append(b"held")
say("ready")
sys.stdin.readline()
writer.append(b"last")
writer.close()
say("closed")
"""
# Holds the lock in the block of a claim.
CLAIM = """
writer = ringlog.Writer(path)
writer.append(b"held")
with writer.claim(4) as view:
    view[:] = b"last"
    say("ready")
    sys.stdin.readline()
writer.close()
say("closed")
"""
# A lossless reader that reads when it is told to, and says what it got.
LOSSLESS = """
reader = ringlog.Reader(path, lossless=True, name=sys.argv[2] if len(sys.argv) > 2 else None, start="oldest")
say("ready")
for line in sys.stdin:
    say(*[event.sequence for event in reader.read_many(100_000)])
"""


def stop(child: Child) -> None:
    """SIGSTOP, and wait until it has stopped."""
    child.signal(signal.SIGSTOP)
    stopped(child.pid)


def stopped(pid: int) -> None:
    """Wait until this process has stopped, by itself or by others."""
    eventually(lambda: (seen := liveness.sighted(pid)) is not None and seen.state == "T")


def go_on(child: Child) -> None:
    child.signal(signal.SIGCONT)


def append(path: str, data: bytes = b"next") -> float:
    """Append with a new writer; the seconds that it took."""
    started = time.monotonic()
    with ringlog.Writer(path, timeout=30) as writer:
        writer.append(data)
    return time.monotonic() - started


def fill(writer: ringlog.Writer) -> int:
    """Append until there is no room; how many went in. The writer's timeout has to be short."""
    for count in range(10_000):
        try:
            writer.append(bytes(1000))
        except ringlog.RingFull:
            return count
    raise AssertionError("there is always room")


@contextlib.contextmanager
def killed_afterwards(pids: list[int]) -> Iterator[None]:
    """End these processes, which are not our children, whatever happens."""
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
