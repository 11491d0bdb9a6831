"""A forked child has no thread, and the parent's descriptor is not its own: each goes on by itself.

The forking is done in processes of its own, since CPython warns of every fork beside a thread.
"""

from __future__ import annotations

from collections.abc import Callable

from descriptor_support import SELECT, native_threads
from processes import Child

FORK = """
import traceback, warnings
warnings.simplefilter("ignore", DeprecationWarning)
def in_child(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid
def join(pid):
    assert os.waitpid(pid, 0)[1] == 0
def threads():
    found = 0
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as stream:
                found += stream.read() == "ringlog-waker\\n"
        except OSError:
            pass  # it has ended meanwhile
    return found
"""


def test_both_go_on(ring: str, spawn: Callable[..., Child]) -> None:
    spawn(
        SELECT
        + FORK
        + """
writer, reader, other = ringlog.Writer(path), ringlog.Reader(path), ringlog.Reader(path)
old = reader.fileno(), other.fileno()
writer.append(b"a")
wait_readable(reader)

def child():
    assert threads() == 0
    for fd in old:
        try:
            os.fstat(fd)
        except OSError:
            pass
        else:
            raise AssertionError("the parent's descriptor is open here")
    assert readable(reader) and threads() == 1  # asked for again: what the parent has not read is ours too
    assert reader.poll().data == b"a" and reader.poll() is None and not readable(reader)
    with ringlog.Writer(path) as mine:
        mine.append(b"from the child")
    wait_readable(reader)
    assert reader.poll().data == b"from the child"
    other.close()  # never asked for here
    reader.close()
    while threads():
        time.sleep(0.001)

join(in_child(child))
assert readable(reader)  # the child has drained its own
assert [event.data for event in reader.read_many()] == [b"a", b"from the child"]
assert not readable(reader)
writer.append(b"later")
wait_readable(reader)
wait_readable(other)
for each in (reader, other, writer):
    each.close()
""",
        ring,
    ).finish()


def test_a_grandchild_and_a_reader_with_a_slot(ring: str, spawn: Callable[..., Child]) -> None:
    spawn(
        SELECT
        + FORK
        + """
writer, reader, lossless = ringlog.Writer(path), ringlog.Reader(path), ringlog.Reader(path, lossless=True)
reader.fileno(), lossless.fileno()

def grandchild():
    assert threads() == 0 and not readable(reader)
    with ringlog.Writer(path) as mine:
        mine.append(b"x")
    wait_readable(reader)

def child():
    try:
        lossless.fileno()
    except ringlog.ClosedError:
        pass
    assert not readable(reader)
    join(in_child(grandchild))
    wait_readable(reader)
    assert reader.poll().data == b"x"

join(in_child(child))
wait_readable(reader)
wait_readable(lossless)
for each in (reader, lossless, writer):
    each.close()
""",
        ring,
    ).finish()


def test_forks_while_the_thread_is_busy(ring: str, spawn: Callable[..., Child]) -> None:
    """Another thread rings all the time, so some forks catch the native one with its mutex taken."""
    spawn(
        SELECT
        + FORK
        + """
writer, reader, done = ringlog.Writer(path), ringlog.Reader(path, on_overrun="skip"), threading.Event()

def busy():
    with ringlog.Reader(path, on_overrun="skip") as mine, ringlog.Writer(path) as other:
        while not done.is_set():
            other.append(b"x")
            wait_readable(mine)
            mine.read_many()

thread = threading.Thread(target=busy)
thread.start()

def child():
    reader.seek("latest")
    wait_readable(reader)
    while reader.poll():
        pass
    with ringlog.Writer(path) as mine:
        mine.append(b"y")
    wait_readable(reader)

for _ in range(30):
    join(in_child(child))
    wait_readable(reader)
    reader.read_many()
done.set()
thread.join()
reader.close()
writer.close()
""",
        ring,
    ).finish()


def test_a_task_that_is_dropped_in_a_forked_child(ring: str, spawn: Callable[..., Child]) -> None:
    """It shares the parent's epoll: unregistering there would make the parent deaf."""
    spawn(
        FORK
        + """
import asyncio

async def main():
    with ringlog.Reader(path) as reader, ringlog.Writer(path) as writer:
        coroutine = reader.__anext__()
        task = asyncio.create_task(coroutine)
        while not reader._bells:
            await asyncio.sleep(0)
        join(in_child(coroutine.close))
        writer.append(b"x")
        assert (await asyncio.wait_for(task, 20)).data == b"x"

asyncio.run(main())
""",
        ring,
    ).finish()


def test_a_program_that_is_started_does_not_get_it(ring: str, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
import subprocess
with ringlog.Reader(path) as reader:
    fd = reader.fileno()
    code = f"import os; print(os.path.exists('/proc/self/fd/{fd}'))"
    say(subprocess.check_output([sys.executable, "-c", code], close_fds=False).decode().strip())
""",
        ring,
    )
    assert child.line() == "False"
    child.finish()
    assert not list(native_threads())
