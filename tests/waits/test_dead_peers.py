"""A dead owner is replaced, and a dead lossless reader let go of, whatever their forked children hold."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from oracle import RingFile
from processes import eventually
from waits_support import Spawn, append, fill, killed_afterwards, stop

import ringlog

MOST = 5.0  # seconds, on a busy machine; a second is promised, milliseconds are measured

ROLES = {
    "session": "writer = ringlog.Writer(path, lock='session'); writer.append(b'held')",
    "claim": "writer = ringlog.Writer(path); claim = writer.claim(100); view = claim.__enter__()",
    "lossless": "reader = ringlog.Reader(path, lossless=True, start='oldest')",
    "named": "reader = ringlog.Reader(path, name='n', start='oldest')",
    "view": "reader = ringlog.Reader(path, lossless=True, start='oldest'); reader.view(20).__enter__()",
}
BUSY = {role: ringlog.WriterBusy if role in ("session", "claim") else ringlog.RingFull for role in ROLES}
# How children come to be that outlive their parent; each makes some, and every descriptor is inherited.
KINDS = {
    "fork": """
        for _ in range(3):
            child = os.fork()
            if child == 0:
                if os.fork() == 0:  # a grandchild, too
                    time.sleep(300)
                time.sleep(300)
                os._exit(0)
            children.append(child)
        """,
    "multiprocessing": """
        import multiprocessing
        fork = multiprocessing.get_context("fork")
        workers = [fork.Process(target=time.sleep, args=(300,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        children += [worker.pid for worker in workers]
        """,
    "pool": """
        import multiprocessing
        pool = multiprocessing.get_context("fork").Pool(2)
        pool.map(abs, [1, 2])
        children += [worker.pid for worker in pool._pool]
        """,
    "subprocess": """
        import subprocess
        children += [subprocess.Popen(["sleep", "300"], close_fds=False).pid for _ in range(3)]
        """,
    "spawn": """
        children += [os.posix_spawn("/bin/sleep", ["sleep", "300"], os.environ) for _ in range(3)]
        """,
    "forked thread": """
        def fork():
            child = os.fork()
            if child == 0:
                time.sleep(300)
                os._exit(0)
            children.append(child)
        for _ in range(3):
            thread = threading.Thread(target=fork)
            thread.start()
            thread.join()
        """,
}
PARENT = """
import textwrap, warnings
warnings.simplefilter("ignore")
children = []
exec(sys.argv[2])
for fd in os.listdir("/proc/self/fd"):
    try:
        os.set_inheritable(int(fd), True)
    except OSError:
        pass
exec(textwrap.dedent(sys.argv[3]))
say(*children)
time.sleep(300)
"""


def overwrite(writer: ringlog.Writer) -> None:
    for _ in range(70):  # more than the ring holds
        writer.append(bytes(1000))


def replaced(path: str, role: str) -> float:
    """Seconds until a writer got past the dead; for a reader: until it had the room that was kept."""
    if role in ("session", "claim"):
        return append(path)
    started = time.monotonic()
    with ringlog.Writer(path, timeout=30) as writer:
        overwrite(writer)
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("role", "kind"),
    [(role, kind) for role in ROLES for kind in KINDS if role in ("session", "lossless") or kind == "fork"],
)
def test_children_that_live_on_hold_nothing(ring: str, spawn: Spawn, role: str, kind: str) -> None:
    with ringlog.Writer(ring) as writer:
        writer.append(b"first")
    parent = spawn(PARENT, ring, ROLES[role], KINDS[kind])
    children = [int(word) for word in parent.line().split()]
    with killed_afterwards(children):
        with ringlog.Writer(ring, timeout=0.1) as writer, pytest.raises(BUSY[role]):
            overwrite(writer)  # while the parent lives it is waited for
        parent.kill()
        if kind != "pool":  # its workers end with their parent
            assert all(os.path.exists(f"/proc/{child}") for child in children)
        took = replaced(ring, role)
        print(f"{role}, {kind}: {took:.3f} s")
        assert took < MOST


@pytest.mark.parametrize("role", ["lossless", "named"])
def test_a_reader_killed_while_the_writer_waits_for_it(ring: str, spawn: Spawn, role: str) -> None:
    child = spawn(ROLES[role] + "; say('ready'); time.sleep(300)", ring)
    assert child.line() == "ready"
    with ringlog.Writer(ring, timeout=60) as writer:
        with ringlog.Writer(ring, timeout=0) as filler:
            fill(filler)
        done: list[float] = []

        def wait() -> None:
            writer.append(bytes(1000))
            done.append(time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        with RingFile(ring) as file:
            eventually(lambda: file["room_wanted"])
        killed = time.monotonic()
        child.kill()
        thread.join(30)
        print(f"the writer went on {done[0] - killed:.3f} s after the kill")
        assert done[0] - killed < MOST
    assert [reader.state for reader in ringlog.info(ring).readers] == (["dead"] if role == "named" else [])


def test_a_writer_killed_while_it_waits_for_room_leaves_no_lock(ring: str, spawn: Spawn) -> None:
    with ringlog.Reader(ring, lossless=True) as reader:
        code = "writer = ringlog.Writer(path)\nwhile True:\n    writer.append(bytes(1000))"
        waiting = spawn(code, ring)
        with RingFile(ring) as file:
            eventually(lambda: file["room_wanted"])
        waiting.kill()
        events = reader.read_many(1000)
        assert append(ring) < MOST
        assert reader.read(20).sequence == len(events)


def test_a_killed_owner_that_was_stopped(ring: str, spawn: Spawn) -> None:
    child = spawn(ROLES["claim"] + "; say('ready'); time.sleep(300)", ring)
    assert child.line() == "ready"
    stop(child)
    child.process.send_signal(signal.SIGKILL)
    assert append(ring) < MOST


def test_64_dead_lossless_readers_at_once(ring_path: str, spawn: Spawn) -> None:
    ringlog.create(ring_path, 65536, max_readers=64)
    code = """
        readers = [ringlog.Reader(path, lossless=True, start="oldest") for _ in range(64)]
        say("ready")
        time.sleep(300)
        """
    child = spawn(code, ring_path)
    assert child.line() == "ready"
    child.kill()
    took = replaced(ring_path, "lossless")
    print(f"64 dead readers: {took:.3f} s")
    assert took < MOST
