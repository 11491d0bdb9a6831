"""What waiting costs, and waiting where the kernel or the permissions give less."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable

import pytest
from descriptor_support import REFUSE_FUTEX_WAITV, SELECT, switches, the_native_thread, wait_readable
from processes import NOBODY, Child, eventually

import ringlog

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")

IDLE = """
import asyncio
def all_switches():
    found = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as lines:
            for line in lines:
                if line.startswith("voluntary_ctxt_switches"):
                    found += int(line.split()[1])
    return found

async def main():
    readers = [ringlog.Reader(path) for path in sys.argv[1:] for _ in range(4)]
    tasks = [asyncio.ensure_future(reader.__anext__()) for reader in readers]
    while not all(reader._bells for reader in readers):
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    before = all_switches()
    await asyncio.sleep(1)
    say(all_switches() - before)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for reader in readers:
        reader.close()

asyncio.run(main())
"""


def test_an_idle_loop_sleeps(rings: list[str], spawn: Callable[..., Child]) -> None:
    """Twelve readers of three rings: the thread looks ten times a second, the loop not at all."""
    assert int(spawn(IDLE, *rings).line()) < 40


def test_others_wake_ups_leave_the_thread_of_a_readable_descriptor_alone(
    rings: list[str], spawn: Callable[..., Child]
) -> None:
    """A reader that has not yet read what it was told of is not disturbed, however often others are woken."""
    there, back, _ = rings
    child = spawn(
        """
        with ringlog.Reader(path, wait="sleep") as reader, ringlog.Writer(sys.argv[2]) as writer:
            say("ready")
            for event in reader:
                writer.append(b"")
        """,
        there,
        back,
    )
    child.line()
    with ringlog.Reader(there) as reader, ringlog.Writer(there) as writer, ringlog.Reader(back) as answers:
        reader.fileno()
        writer.append(b"x")
        wait_readable(reader)
        answers.read(20)
        task = the_native_thread()
        before, begun = switches(task), time.monotonic()
        for _ in range(2000):
            writer.append(b"x")
            answers.read(20)
        slices = (time.monotonic() - begun) / 0.1
        assert switches(task) - before < slices + 100
        writer.end()
    child.finish()


# Events and answers, many times; then the end. `path` is read and waited for, the other answers.
ECHO = (
    SELECT
    + """
reader = ringlog.Reader(path)
answers = ringlog.Writer(sys.argv[2])
assert not readable(reader)
say("ready")
try:
    while True:
        wait_readable(reader)
        assert reader.poll() is not None
        while reader.poll():
            pass
        answers.append(b"")
except ringlog.StreamEnded:
    assert readable(reader)
    say("ended")
answers.close()
reader.close()
"""
)


def echo_many_times(child: Child, there: str, back: str) -> None:
    assert child.line() == "ready"
    with ringlog.Writer(there) as writer, ringlog.Reader(back, start="oldest") as answers:
        for _ in range(100):
            writer.append(b"x")
            answers.read(20)
        writer.end()
    assert child.line() == "ended"
    child.finish()


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_without_futex_waitv(rings: list[str], spawn: Callable[..., Child], error: int) -> None:
    there, back, _ = rings
    code = REFUSE_FUTEX_WAITV + f"refuse_futex_waitv({error})\n" + ECHO
    echo_many_times(spawn(code, there, back), there, back)


@as_root
def test_with_read_permission_alone(rings: list[str], spawn: Callable[..., Child]) -> None:
    there = rings[0]
    os.chmod(there, 0o644)
    child = spawn(
        SELECT
        + """
with ringlog.Reader(path) as reader:
    assert not readable(reader)
    say("ready")
    wait_readable(reader)
    say(reader.poll().data)
    assert reader.poll() is None and not readable(reader)
    say("quiet")
    try:
        while True:
            wait_readable(reader)
            reader.poll()
    except ringlog.RingRemoved:
        say("removed")
""",
        there,
        user=NOBODY,
    )
    assert child.line() == "ready"
    with ringlog.Writer(there) as writer:
        writer.append(b"seen")
        assert child.line() == "b'seen'"
        assert child.line() == "quiet"
        ringlog.unlink(there)
        assert child.line() == "removed"
    child.finish()


@pytest.mark.parametrize("way", ["with futex_waitv", "without"])
def test_a_polling_reader_and_a_woken_one_in_one_process(
    rings: list[str], spawn: Callable[..., Child], way: str
) -> None:
    """One ring may be announced in, the other not."""
    first, second, _ = rings
    refuse = REFUSE_FUTEX_WAITV + f"refuse_futex_waitv({errno.ENOSYS})\n" if way == "without" else ""
    child = spawn(
        refuse
        + SELECT
        + """
from ringlog import _core, files
class ReadOnly(ringlog.Reader):
    def _attach_file(self, need_slot):
        return files.attach(self._path, os.O_RDONLY, _core.MAP_READ)[0]
with ringlog.Reader(path) as reader, ReadOnly(sys.argv[2]) as polling:
    assert not readable(reader) and not readable(polling)
    for _ in range(20):
        say("ready")
        wait_readable(reader)
        assert len(reader.read_many()) == 1
        say("ready")
        wait_readable(polling)
        assert len(polling.read_many()) == 1
""",
        first,
        second,
    )
    with ringlog.Writer(first) as one, ringlog.Writer(second) as other:
        for _ in range(20):
            for writer in (one, other):
                assert child.line() == "ready"
                writer.append(b"x")
        child.finish()
        assert eventually(lambda: ringlog.info(second).event_count) == 20
