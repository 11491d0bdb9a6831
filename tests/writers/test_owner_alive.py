"""G4, G5 with real processes: the living are never robbed, however slow; the dead hold nobody up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from oracle import RingFile, decode
from processes import Child, eventually, run_forked
from writer_support import assert_consistent, semaphore_name, semaphore_value

import ringlog

# Holds the lock until it is told to let go.
HOLDER = """
writer = ringlog.Writer(path, lock="session")
writer.append(b"held")
say("held")
sys.stdin.readline()
writer.close()
say("closed")
"""
# The lock is taken in another thread; children are forked that inherit every descriptor and stay.
FORKING = """
import subprocess
def hold():
    global writer
    writer = ringlog.Writer(path, lock="session")
    writer.append(b"held")
threads = [threading.Thread(target=hold)] + [threading.Thread(target=time.sleep, args=(300,), daemon=True)
                                             for _ in range(3)]
for thread in threads:
    thread.start()
threads[0].join()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        if len(children) == 1 and os.fork() == 0:  # a grandchild, too
            time.sleep(300)
        time.sleep(300)
        os._exit(0)
    children.append(child)
for fd in os.listdir("/proc/self/fd"):
    try:
        os.set_inheritable(int(fd), True)
    except OSError:
        pass
children.append(subprocess.Popen(["sleep", "300"], close_fds=False).pid)
say(*children)
time.sleep(300)
"""


def replace(path: str, expected: int) -> float:
    """Append with a new writer; the seconds that it took."""
    started = time.monotonic()
    with ringlog.Writer(path, timeout=30) as writer:
        assert writer.append(b"next") == expected
    return time.monotonic() - started


def test_a_stopped_owner_is_not_robbed(ring_path: str, spawn: Callable[..., Child]) -> None:
    holder = spawn(HOLDER, ring_path)
    assert holder.line() == "held"
    holder.signal(signal.SIGSTOP)
    with ringlog.Writer(ring_path, timeout=1.5) as writer, RingFile(ring_path) as file:
        for _ in range(2):
            with pytest.raises(ringlog.WriterBusy, match=rf"pid {holder.pid} .*stopped"):
                writer.append(b"robbed")
        owner = file["owner"] & (1 << 63) - 1
        assert owner & 0xFFFF == 0
        holder.signal(signal.SIGCONT)
        with pytest.raises(ringlog.WriterBusy, match=f"pid {holder.pid} ") as caught:
            writer.append(b"robbed")
        assert "stopped" not in str(caught.value)
        assert file["owner"] & (1 << 63) - 1 == owner
        holder.tell()
        assert holder.line() == "closed"
        assert writer.append(b"next") == 1
    holder.finish()
    assert [event.data for event in decode(ring_path)] == [b"held", b"next"]
    assert_consistent(ring_path)


def test_writers_that_are_stopped_and_go_on_lose_nothing(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Stopped at any moment, also inside the lock, while another one appends."""
    code = """
        writer = ringlog.Writer(path, timeout=60)
        say("ready")
        for number in range(10**9):
            writer.append(b"%d" % number)
            if number % 1000 == 0 and os.path.exists(sys.argv[2]):
                break
        say(number + 1)
        writer.close()
    """
    stop = ring_path + ".stop"
    ringlog.create(ring_path, 1 << 22)
    children = [spawn(code, ring_path, stop) for _ in range(2)]
    with ringlog.Reader(ring_path, start="oldest", lossless=True) as reader:
        for child in children:
            assert child.line() == "ready"
        seen = 0
        for turn in range(60):
            child = children[turn % 2]
            child.signal(signal.SIGSTOP)
            events = reader.read_many(50_000)
            assert [event.sequence for event in events] == list(range(seen, seen + len(events)))
            seen += len(events)
            time.sleep(0.005)
            child.signal(signal.SIGCONT)
        open(stop, "w").close()
        try:
            while any(child.process.poll() is None for child in children):
                seen += len(reader.read_many(50_000, timeout=0.05))
            seen += len(reader.read_many(1_000_000))
        finally:
            os.unlink(stop)
        assert seen == sum(int(child.line()) for child in children)
    assert assert_consistent(ring_path) == seen


def test_a_killed_owner_is_replaced_at_once(ring_path: str, spawn: Callable[..., Child]) -> None:
    holder = spawn(HOLDER, ring_path)
    assert holder.line() == "held"
    with ringlog.Writer(ring_path, timeout=0.3) as writer, pytest.raises(ringlog.WriterBusy):
        writer.append(b"too early")
    holder.process.kill()  # nobody has waited for it yet: a zombie holds nothing either
    took = replace(ring_path, 1)
    print(f"replaced after {took:.3f} s")
    assert took < 5
    assert semaphore_value(semaphore_name(ring_path)) == 1


def test_a_killed_and_stopped_owner_is_replaced(ring_path: str, spawn: Callable[..., Child]) -> None:
    holder = spawn(HOLDER, ring_path)
    assert holder.line() == "held"
    holder.signal(signal.SIGSTOP)
    holder.process.kill()
    assert replace(ring_path, 1) < 5


def test_a_killed_owner_with_children_that_live_on_is_replaced(
    ring_path: str, spawn: Callable[..., Child]
) -> None:
    holder = spawn(FORKING, ring_path)
    children = [int(word) for word in holder.line().split()]
    try:
        with ringlog.Writer(ring_path, timeout=0.3) as writer, pytest.raises(ringlog.WriterBusy):
            writer.append(b"too early")
        holder.kill()
        assert all(os.path.exists(f"/proc/{child}") for child in children)
        took = replace(ring_path, 1)
        print(f"replaced after {took:.3f} s")
        assert took < 5
        assert ringlog.info(ring_path).event_count == 2
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_forks_while_slots_are_taken_keep_no_lease(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Children forked at any moment, also while another thread opens writers, don't keep a slot alive."""
    code = """
        ringlog.create(path, 1 << 16)
        running = True
        def churn():
            while running:
                ringlog.Writer(path).close()
        threads = [threading.Thread(target=churn) for _ in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for _ in range(60):
            child = os.fork()
            if child == 0:
                time.sleep(300)
                os._exit(0)
            children.append(child)
        running = False
        for thread in threads:
            thread.join()
        say(*children)
        sys.stdin.readline()
    """
    parent = spawn(code, ring_path)
    children = [int(word) for word in parent.line().split()]
    try:
        with ringlog.Writer(ring_path):
            writers = ringlog.info(ring_path).writers
            assert [writer.state for writer in writers if writer.state != "dead"] == ["idle"]
        kept = []
        for _ in range(64):  # every slot can be taken
            kept.append(ringlog.Writer(ring_path))
        for writer in kept:
            writer.close()
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
    parent.tell()
    parent.finish()


def test_a_session_keeps_others_out_until_it_is_closed(ring_path: str, spawn: Callable[..., Child]) -> None:
    holder = spawn(HOLDER, ring_path)
    assert holder.line() == "held"
    with pytest.raises(ringlog.WriterBusy, match=f"pid {holder.pid} "):
        ringlog.Writer(ring_path, lock="session", timeout=0.3)
    with ringlog.Writer(ring_path, timeout=0.3) as writer, pytest.raises(ringlog.WriterBusy):
        writer.append_many([b"no"])
    holder.tell()
    assert holder.line() == "closed"
    with ringlog.Writer(ring_path, lock="session", timeout=10) as writer:
        assert writer.append(b"1") == 1
    holder.finish()


def test_a_forked_child_ends_no_session(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Not by its exit, its finalisers, its own close() or a garbage collection."""
    code = """
        import gc
        writer = ringlog.Writer(path, lock="session")
        writer.append(b"0")
        for how in ("exit", "close", "del", "_exit"):
            child = os.fork()
            if child == 0:
                try:
                    writer.append(b"child")
                except ringlog.ClosedError:
                    pass
                else:
                    os._exit(9)
                if how == "close":
                    writer.close()
                if how == "del":
                    del writer
                    gc.collect()
                if how == "_exit":
                    os._exit(0)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0, how
        say("forked")
        sys.stdin.readline()
        say(writer.append(b"1"))
        writer.close()
    """
    holder = spawn(code, ring_path)
    assert holder.line() == "forked"
    with ringlog.Writer(ring_path, timeout=0.3) as writer:
        with pytest.raises(ringlog.WriterBusy, match=f"pid {holder.pid} "):
            writer.append(b"no")
        assert ringlog.info(ring_path).writers[0].state in ("active", "idle")
        holder.tell()
        assert holder.line() == "1"
        holder.finish()
        assert writer.append(b"2") == 2


def test_an_owner_that_closes_while_others_wait_hands_over(
    ring_path: str, spawn: Callable[..., Child]
) -> None:
    holder = spawn(HOLDER, ring_path)
    assert holder.line() == "held"
    waiting = [
        spawn("with ringlog.Writer(path) as w:\n    say('open')\n    say(w.append(b'x'))", ring_path)
        for _ in range(3)
    ]
    for child in waiting:
        assert child.line() == "open"
    with RingFile(ring_path) as file:
        eventually(lambda: file["owner"] >> 63)
    holder.tell()
    assert sorted(int(child.line()) for child in waiting) == [1, 2, 3]
    for child in [holder, *waiting]:
        child.finish()
    assert assert_consistent(ring_path) == 4


def test_a_child_that_is_forked_under_the_lock_does_not_let_go_of_it(ring_path: str) -> None:
    """As a signal handler may fork while its writer syncs or closes."""

    def scenario() -> None:
        writer = ringlog.Writer(ring_path, capacity=1 << 16)
        parent = os.getpid()

        def fork() -> None:
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                owner = writer._owner()
                assert owner is not None
                assert owner[3]  # ours

        try:
            writer._with_lock(fork)
        finally:
            if os.getpid() != parent:
                os._exit(0)
        assert writer.append(b"on") == 0
        writer.close()

    run_forked(scenario)
