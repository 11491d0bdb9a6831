"""What the tests of fileno() and `async for` share."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from oracle import RingFile
from processes import GENEROUS, eventually

import ringlog

Run = Callable[[Coroutine[Any, Any, Any]], Any]
NewLoop = Callable[[], asyncio.AbstractEventLoop]

THREAD = "ringlog-waker"
LONGEST_SLEEP = 0.1  # of the native thread

# For code in a child: the seccomp filter that answers futex_waitv with an errno, as old kernels (ENOSYS)
# and some containers (EPERM) do. It holds for every thread that is started from then on.
REFUSE_FUTEX_WAITV = """
import ctypes, struct
def refuse_futex_waitv(errno):
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 449), (0x06, 0, 0, 0x00050000 | errno), (0x06, 0, 0, 0x7FFF0000)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    assert libc.syscall(449, 0, 0, 0, 0, 1) == -1 and ctypes.get_errno() == errno
"""

# For code in a child: as `readable` and `wait_readable` below.
SELECT = f"""
import select
def readable(reader):
    return bool(select.select([reader], [], [], 0)[0])
def wait_readable(reader):
    assert select.select([reader], [], [], {GENEROUS})[0], "not readable in time"
"""


def readable(reader: ringlog.Reader) -> bool:
    return bool(select.select([reader], [], [], 0)[0])


def stays_quiet(reader: ringlog.Reader) -> bool:
    """Not readable for as long as the native thread needs to look three times."""
    return not select.select([reader], [], [], 3 * LONGEST_SLEEP)[0]


def wait_readable(reader: ringlog.Reader) -> None:
    assert select.select([reader], [], [], GENEROUS)[0], "not readable in time"


def sleeping(path: str) -> bool:
    """Somebody has said in the header that it sleeps until there is news."""
    with RingFile(path, writable=False) as file:
        return bool(file["sleepers"])


def rung(path: str) -> int:
    """How often the ring's sleepers were woken: each time is one system call of whoever had the news."""
    with RingFile(path, writable=False) as file:
        return file["sleepers_futex"]


def native_threads(pid: int | str = "self") -> Iterator[Path]:
    """The waiter threads of a process, as directories below /proc."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().strip() == THREAD:
                yield task
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended meanwhile


def the_native_thread() -> Path:
    """The one waiter thread of this process. One that has nothing left to do may take a moment to be gone."""

    def alone() -> list[Path]:
        threads = list(native_threads())
        return threads if len(threads) == 1 else []

    (task,) = eventually(alone)
    return task


def switches(task: Path) -> int:
    """How often this thread has gone to sleep."""
    lines = (task / "status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches")))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def everything(reader: ringlog.Reader) -> list[bytes]:
    return [event.data async for event in reader]


async def waits(*readers: ringlog.Reader, tasks: int = 1) -> None:
    """Return when so many tasks of this loop wait for each of them."""
    loop = asyncio.get_running_loop()
    while not all(loop in r._bells and len(r._bells[loop]._waiting) == tasks for r in readers):
        await asyncio.sleep(0)
