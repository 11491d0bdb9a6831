"""Processes that are stopped, and live: nobody robs them, nobody hangs on them, later they go on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile, decode
from processes import asleep, eventually
from waits_support import CLAIM, LOSSLESS, SESSION, Spawn, fill, go_on, stop, stopped

import ringlog
from ringlog import liveness

# ---- a stopped writer that holds the lock ----

OWNERS = {"session": SESSION, "claim": CLAIM}


@pytest.mark.parametrize("owner", OWNERS)
def test_a_stopped_owner_keeps_the_lock_and_goes_on(ring: str, spawn: Spawn, owner: str) -> None:
    holder = spawn(OWNERS[owner], ring)
    assert holder.line() == "ready"
    stop(holder)
    with ringlog.Writer(ring, timeout=0.2) as writer, RingFile(ring) as file:
        before = file["owner"] & (1 << 63) - 1
        for call in (lambda: writer.append(b""), lambda: writer.append_many([b""]), writer.end):
            started = time.monotonic()
            with pytest.raises(ringlog.WriterBusy, match=rf"pid {holder.pid} \(.*\), stopped"):
                call()
            assert time.monotonic() - started >= 0.2
        assert file["owner"] & (1 << 63) - 1 == before
        go_on(holder)
        holder.tell()
        assert holder.line() == "closed"
        assert writer.append(b"next") == 2
    holder.finish()
    assert [event.data for event in decode(ring)] == [b"held", b"last", b"next"]


# What a waiting process can do: each waits, for ever, for a peer that is stopped.
WAITERS = {
    "append": "ringlog.Writer(path).append(b'')",
    "append_many": "ringlog.Writer(path).append_many([b''])",
    "claim": "ringlog.Writer(path).claim(1)",
    "end": "ringlog.Writer(path).end()",
    "session": "ringlog.Writer(path, lock='session')",
}
INTERRUPTED = """
import warnings
warnings.simplefilter("ignore")
def call():
    say("waits")
    {call}
try:
    call()
except KeyboardInterrupt:
    say("interrupted")
"""


@pytest.mark.parametrize("call", WAITERS)
def test_ctrl_c_ends_a_wait_for_a_stopped_owner(ring: str, spawn: Spawn, call: str) -> None:
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    stop(holder)
    waiter = spawn(INTERRUPTED.format(call=WAITERS[call]), ring)
    assert waiter.line() == "waits"
    with RingFile(ring) as file:
        eventually(lambda: file["owner"] >> 63)
        waiter.signal(signal.SIGINT)
        assert waiter.line() == "interrupted"
        assert file["event_count"] == 1
    waiter.finish()
    go_on(holder)
    holder.tell()
    assert holder.line() == "closed"
    holder.finish()


def test_close_in_another_thread_ends_a_wait_for_a_stopped_owner(ring: str, spawn: Spawn) -> None:
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    stop(holder)
    writer = ringlog.Writer(ring)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            writer.append(b"")
        except ringlog.ClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    with RingFile(ring) as file:
        eventually(lambda: file["owner"] >> 63)
    writer.close()
    thread.join(20)
    assert len(raised) == 1


# ---- a stopped lossless reader ----


@pytest.mark.parametrize("name", [None, "n"])
def test_a_stopped_lossless_reader_is_waited_for_and_has_seen_everything(
    ring: str, spawn: Spawn, name: str | None
) -> None:
    reader = spawn(LOSSLESS, ring, *([name] if name else []))
    assert reader.line() == "ready"
    stop(reader)
    with ringlog.Writer(ring, timeout=0.3) as writer:
        count = fill(writer)
        started = time.monotonic()
        with pytest.raises(ringlog.RingFull, match=rf"pid {reader.pid} \(.*\), stopped"):
            writer.append(bytes(1000))
        assert time.monotonic() - started >= 0.3
        assert [one.state for one in ringlog.info(ring).readers] == ["stopped"]
        if name:
            with pytest.raises(ringlog.NameInUse, match="stopped"):
                ringlog.Reader(ring, name=name)
        go_on(reader)
        reader.tell()
        assert [int(word) for word in reader.line().split()] == list(range(count))
        if name:  # the last one is finished when the next is asked for
            reader.tell()
            reader.line()
        assert writer.append(bytes(1000)) == count
    reader.finish()


def test_ctrl_c_ends_a_wait_for_a_stopped_reader(ring: str, spawn: Spawn) -> None:
    reader = spawn(LOSSLESS, ring)
    assert reader.line() == "ready"
    stop(reader)
    call = "[ringlog.Writer(path).append(bytes(9000)) for _ in range(20)]"
    waiter = spawn(INTERRUPTED.format(call=call), ring)
    assert waiter.line() == "waits"
    with RingFile(ring) as file:
        eventually(lambda: file["room_wanted"])
        eventually(lambda: asleep(waiter.pid))
        waiter.signal(signal.SIGINT)
        assert waiter.line() == "interrupted"
        assert file["owner"] == 0
    waiter.finish()


def test_a_stopped_lossy_reader_holds_nobody_up(ring: str, spawn: Spawn) -> None:
    reader = spawn(
        """
        with ringlog.Reader(path, start="oldest") as reader:
            say("ready")
            try:
                while True:
                    reader.read()
            except ringlog.Overrun as error:
                say(error.first, error.last)
        """,
        ring,
    )
    assert reader.line() == "ready"
    eventually(lambda: asleep(reader.pid))
    stop(reader)
    with ringlog.Writer(ring, timeout=0) as writer:
        for _ in range(200):
            writer.append(bytes(1000))
    go_on(reader)
    first, last = map(int, reader.line().split())
    assert (first, last) == (0, ringlog.info(ring).tail_count - 1)
    reader.finish()


# ---- stopped while it attaches, makes, closes ----

# Whoever attaches tells its pid while it has the lease on the tables. This one stops just then.
ATTACHING = """
from ringlog import liveness
known = liveness.own_identity
def stopped_here():
    os.kill(os.getpid(), signal.SIGSTOP)
    return known()
liveness.own_identity = stopped_here
say("attaches")
{attach}
say("attached")
sys.stdin.readline()
one.close()
"""
ATTACH = {
    "writer": "one = ringlog.Writer(path)",
    "reader": "one = ringlog.Reader(path, lossless=True)",
    "name": "one = ringlog.Reader(path, name='n')",
}


@pytest.mark.parametrize("end", ["continued", "killed"])
@pytest.mark.parametrize("who", ATTACH)
def test_stopped_while_it_attaches(
    ring: str, spawn: Spawn, monkeypatch: pytest.MonkeyPatch, who: str, end: str
) -> None:
    monkeypatch.setattr(liveness, "STUCK_AFTER", 0.05)  # instead of ten seconds
    with ringlog.Writer(ring, timeout=0) as writer:
        child = spawn(ATTACHING.format(attach=ATTACH[who]), ring)
        assert child.line() == "attaches"
        stopped(child.pid)
        opens: list[Callable[[], object]] = [
            lambda: ringlog.Writer(ring),
            lambda: ringlog.Reader(ring, lossless=True),
            lambda: ringlog.Reader(ring, name="m"),
            lambda: ringlog.forget(ring, "m"),
        ]
        for attempt in opens:
            with pytest.raises(TimeoutError, match="stuck while it attaches"):
                attempt()
        for _ in range(200):  # a reader that has not joined holds nobody up
            writer.append(bytes(1000))
        with ringlog.Reader(ring, start="oldest") as lossy:
            assert lossy.poll() is not None
        assert ringlog.info(ring).event_count == 200
        if end == "killed":
            child.kill()
        else:
            go_on(child)
            assert child.line() == "attached"
            child.tell()
            child.finish()
        ringlog.Writer(ring, timeout=0).close()
        ringlog.Reader(ring, name="n").close()
        assert writer.append(b"") == 200


def test_ctrl_c_ends_a_wait_for_one_that_attaches(ring: str, spawn: Spawn) -> None:
    child = spawn(ATTACHING.format(attach=ATTACH["writer"]), ring)
    assert child.line() == "attaches"
    stopped(child.pid)
    for call in ("ringlog.Writer(path)", "ringlog.Reader(path, name='n')"):
        waiter = spawn(INTERRUPTED.format(call=call), ring)
        assert waiter.line() == "waits"
        eventually(lambda waiter=waiter: asleep(waiter.pid))
        waiter.signal(signal.SIGINT)
        assert waiter.line() == "interrupted"
        waiter.finish()


def test_stopped_while_it_makes_the_ring(ring_path: str, spawn: Spawn) -> None:
    """Nobody sees half of it, and who comes meanwhile makes the ring himself."""
    child = spawn(
        """
        from ringlog import lock
        known = lock.make_semaphore
        def stopped_here(name, mode):
            os.kill(os.getpid(), signal.SIGSTOP)
            known(name, mode)
        lock.make_semaphore = stopped_here
        say("makes")
        with ringlog.Writer(path, timeout=20) as writer:
            say(writer.append(b"second"))
        """,
        ring_path,
    )
    assert child.line() == "makes"
    stopped(child.pid)
    with ringlog.Writer(ring_path, capacity=65536, timeout=0) as writer:
        assert writer.append(b"first") == 0
        go_on(child)
        assert child.line() == "1"
        child.finish()


# A closing writer with sync has the write lock and the lease on the tables when it stops here.
CLOSING = """
from ringlog import liveness
writer = ringlog.Writer(path, sync=60.0)
writer.append(b"0")
known = liveness.take_lease
def stopped_here(*arguments):
    lease = known(*arguments)
    os.kill(os.getpid(), signal.SIGSTOP)
    return lease
liveness.take_lease = stopped_here
say("closes")
writer.close()
say("closed")
"""


@pytest.fixture
def disk_ring(tmp_path: Path) -> str:
    path = str(tmp_path / "ring")
    try:
        ringlog.Writer(path, capacity=65536, sync="always").close()
    except ValueError:
        pytest.skip("no file system with a disk")
    return path


@pytest.mark.parametrize("end", ["continued", "killed"])
def test_stopped_while_it_closes(
    disk_ring: str, spawn: Spawn, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(liveness, "STUCK_AFTER", 0.05)
    with ringlog.Writer(disk_ring, timeout=0.2) as writer:
        child = spawn(CLOSING, disk_ring)
        assert child.line() == "closes"
        stopped(child.pid)
        with pytest.raises(ringlog.WriterBusy, match=rf"pid {child.pid} \(.*\), stopped"):
            writer.append(b"")
        with pytest.raises(TimeoutError, match="stuck"):
            ringlog.Writer(disk_ring)
        if end == "killed":
            child.kill()
        else:
            go_on(child)
            assert child.line() == "closed"
            child.finish()
        with ringlog.Writer(disk_ring, timeout=20) as other:
            assert other.append(b"1") == 1
    ringlog.unlink(disk_ring)


def test_closing_beside_one_that_is_stopped_while_it_attaches(
    disk_ring: str, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clean mark is not worth an error, nor keeping the write lock for long."""
    monkeypatch.setattr(ringlog.writer, "CLEAN_PATIENCE", 0.1)
    writer = ringlog.Writer(disk_ring, sync=60.0)
    writer.append(b"0")
    child = spawn(ATTACHING.format(attach=ATTACH["writer"]), disk_ring)
    assert child.line() == "attaches"
    stopped(child.pid)
    writer.close()
    with RingFile(disk_ring) as file:
        assert file["clean"] == 0
        assert file["owner"] == 0
    go_on(child)
    assert child.line() == "attached"
    child.tell()
    child.finish()
    ringlog.unlink(disk_ring)


def test_closing_with_sync_beside_a_stopped_owner(disk_ring: str, spawn: Spawn) -> None:
    """It can't have the lock, says so after its timeout, and is closed."""
    writer = ringlog.Writer(disk_ring, sync=60.0, timeout=0.2)
    holder = spawn(SESSION, disk_ring)
    assert holder.line() == "ready"
    stop(holder)
    with pytest.raises(ringlog.WriterBusy, match=rf"pid {holder.pid} \(.*\), stopped"):
        writer.close()
    with pytest.raises(ringlog.ClosedError):
        writer.append(b"")
    assert [one.pid for one in ringlog.info(disk_ring).writers] == [holder.pid]
    holder.kill()
    ringlog.unlink(disk_ring)


def test_stopped_while_it_puts_the_ring_in_order_after_a_restart(
    ring: str, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "STUCK_AFTER", 0.05)
    with ringlog.Writer(ring) as writer:
        writer.append(b"lost")
    with RingFile(ring) as file:
        file["boot_id"] = b"another boot id!"
    child = spawn(
        """
        from ringlog import files
        known = files.secrets.token_bytes
        def stopped_here(count):
            os.kill(os.getpid(), signal.SIGSTOP)
            return known(count)
        files.secrets.token_bytes = stopped_here
        say("opens")
        with ringlog.Writer(path) as writer:
            say(writer.append(b"first"))
        """,
        ring,
    )
    assert child.line() == "opens"
    stopped(child.pid)
    for attempt in (lambda: ringlog.Writer(ring), lambda: ringlog.Reader(ring)):
        with pytest.raises(TimeoutError, match="stuck"):
            attempt()
    go_on(child)
    assert child.line() == "0"
    child.finish()
    with ringlog.Writer(ring) as writer:
        assert writer.append(b"second") == 1
