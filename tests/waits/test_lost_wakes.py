"""Wake-ups that never come: who would have woken us was killed, or his system call came to nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from oracle import RingFile
from processes import eventually
from waits_support import Spawn, fill

import ringlog

WITH_READER = """
with ringlog.Reader(path, {options}) as reader:
    say("ready")
    say({call})
"""
READERS = {
    "adaptive": WITH_READER.format(options="", call="reader.read().sequence"),
    "sleep": WITH_READER.format(options="wait='sleep'", call="reader.read().sequence"),
    "named": WITH_READER.format(options="name='n'", call="reader.read().sequence"),
    "iterate": WITH_READER.format(options="", call="next(reader).sequence"),
    "select": """
import select
with ringlog.Reader(path) as reader:
    reader.fileno()
    say("ready")
    select.select([reader], [], [])
    say(reader.poll().sequence)
""",
    "async": """
import asyncio
async def main():
    with ringlog.Reader(path) as reader:
        say("ready")
        say((await anext(reader)).sequence)
asyncio.run(main())
""",
}
# They say how many there were until the end.
COUNTERS = [
    WITH_READER.format(options="", call="sum(1 for _ in reader)"),
    """
import asyncio
async def main():
    with ringlog.Reader(path) as reader:
        say("ready")
        say(len([event async for event in reader]))
asyncio.run(main())
""",
]
# A filter of the kernel's: what becomes of this process's wake-ups of other processes. Those within a
# process, as the interpreter makes them, have another number.
ON_WAKE = """
import ctypes, platform, struct
FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
DROP, KILL, ALLOW = 0x00050000, 0x80000000, 0x7FFF0000  # DROP: "done, nobody was there"
def on_wake(action):
    code = [(0x20, 0, 0, 0), (0x15, 0, 3, FUTEX)]  # which call?
    code += [(0x20, 0, 0, 24), (0x15, 0, 1, 1), (6, 0, 0, action), (6, 0, 0, ALLOW)]  # FUTEX_WAKE, shared?
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
"""


def flag_lost(file: RingFile) -> None:
    """As a writer leaves it that took the sleepers' flag and was killed before it woke them."""
    file["sleepers"] = 0
    file["sleepers_futex"] += 1


def flag_kept(file: RingFile) -> None:
    """As a writer leaves it that was killed right behind its publication."""


@pytest.mark.parametrize("killed", [flag_lost, flag_kept], ids=lambda state: state.__name__)
@pytest.mark.parametrize("how", READERS)
def test_a_writer_killed_between_its_news_and_its_wake(
    ring: str, spawn: Spawn, how: str, killed: Callable[[RingFile], None]
) -> None:
    reader = spawn(READERS[how], ring)
    assert reader.line() == "ready"
    with RingFile(ring) as file:
        eventually(lambda: file["sleepers"])
        file.publish(b"x")
        killed(file)
    assert reader.line() == "0"
    reader.finish()


@pytest.mark.parametrize("news", ["ended", "removed"])
def test_other_news_without_a_wake(ring: str, spawn: Spawn, news: str) -> None:
    reader = spawn(
        """
        with ringlog.Reader(path) as reader:
            say("ready")
            try:
                reader.read()
            except ringlog.RinglogError as error:
                say(type(error).__name__)
        """,
        ring,
    )
    assert reader.line() == "ready"
    with RingFile(ring) as file:
        eventually(lambda: file["sleepers"])
        file[news] = file["write_offset"]
    assert reader.line() == {"ended": "StreamEnded", "removed": "RingRemoved"}[news]
    reader.finish()


# ---- real wake-ups, dropped by a seccomp filter on their way into the kernel, or deadly there ----


def test_a_writer_whose_wakes_all_come_to_nothing(ring: str, spawn: Spawn) -> None:
    readers = [spawn(code, ring) for code in COUNTERS]
    for reader in readers:
        assert reader.line() == "ready"
    writer = spawn(
        ON_WAKE
        + """
on_wake(DROP)
with ringlog.Writer(path) as writer:
    for k in range(10):
        writer.append(b"x")
        time.sleep(0.03)  # so that they fall asleep in between
    writer.end()
""",
        ring,
    )
    writer.finish()
    with RingFile(ring) as file:
        assert file["sleepers_futex"] > 0  # it has tried
    for reader in readers:
        assert reader.line() == "10"
        reader.finish()


@pytest.mark.parametrize("how", ["sleep", "select", "async"])
def test_a_writer_killed_at_its_wake(ring: str, spawn: Spawn, how: str) -> None:
    reader = spawn(READERS[how], ring)
    assert reader.line() == "ready"
    with RingFile(ring) as file:
        eventually(lambda: file["sleepers"])
        writer = spawn(ON_WAKE + "on_wake(KILL)\nringlog.Writer(path).append(b'x')\nsay('lives')", ring)
        assert writer.finish(code=-signal.SIGSYS) == ""
        assert file["event_count"] == 1
    assert reader.line() == "0"
    reader.finish()
    with ringlog.Writer(ring, timeout=20) as other:
        assert other.append(b"y") == 1


def test_a_reader_whose_wakes_all_come_to_nothing(ring: str, spawn: Spawn) -> None:
    """The writer waits for room, and is never told that there is some."""
    reader = spawn(
        ON_WAKE
        + """
on_wake(DROP)
with ringlog.Reader(path, lossless=True, start="oldest") as reader:
    say("ready")
    sys.stdin.readline()
    say(sum(1 for _ in reader))
""",
        ring,
    )
    assert reader.line() == "ready"
    with ringlog.Writer(ring, timeout=0) as filler:
        count = fill(filler)
    reader.tell()
    with ringlog.Writer(ring, timeout=60) as writer:
        for _ in range(200):
            writer.append(bytes(1000))
        writer.end()
    assert reader.line() == str(count + 200)
    reader.finish()
