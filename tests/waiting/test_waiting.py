"""Waiting: for how long, at what cost, and everything that has to end it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from oracle import RingFile
from processes import Child, eventually

import ringlog

READERS = ["adaptive", "spin", "yield", "sleep"]


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


def in_thread(function: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run it in a thread; what it returned or raised is put into the list."""
    outcome: list[object] = []

    def body() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread, outcome


def sleeping(path: str) -> bool:
    """Somebody has said in the header that it sleeps until there is news."""
    with RingFile(path, writable=False) as file:
        return bool(file["sleepers"])


# ---- timeouts ----


@pytest.mark.parametrize("wait", READERS)
@pytest.mark.parametrize("timeout", [0, 0.0, 0.05, 1e-9])
def test_read_times_out(ring: str, wait: str, timeout: float) -> None:
    with ringlog.Reader(ring, wait=wait) as reader:
        before = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            reader.read(timeout)
        assert time.monotonic() - before >= timeout
        assert not isinstance(caught.value, ringlog.RinglogError)
        assert reader.read_many(timeout=timeout) == []


def test_waiting_does_not_end_early_across_many_slices(ring: str) -> None:
    """A sleep is bounded by 100 ms, the wait is not."""
    with ringlog.Reader(ring) as reader:
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            reader.read(0.55)
        assert time.monotonic() - before >= 0.55


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan")])
def test_a_bad_timeout_is_a_value_error(ring: str, timeout: float) -> None:
    with ringlog.Reader(ring) as reader:
        with pytest.raises(ValueError, match="timeout"):
            reader.read(timeout)
        with pytest.raises(ValueError, match="timeout"):
            reader.read_many(timeout=timeout)
    with pytest.raises(ValueError, match="timeout"):
        ringlog.Writer(ring, timeout=timeout)


def test_a_timeout_of_another_type_is_a_type_error(ring: str) -> None:
    with ringlog.Reader(ring) as reader, pytest.raises(TypeError):
        reader.read("soon")
    with pytest.raises(TypeError):
        ringlog.Writer(ring, timeout="soon")


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e300])
def test_very_long_is_for_ever(ring: str, timeout: float | None) -> None:
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring, timeout=timeout) as writer:
        thread, outcome = in_thread(lambda: reader.read(timeout).data)
        eventually(lambda: sleeping(ring))
        writer.append(b"x")
        thread.join(20)
        assert outcome == [b"x"]


# ---- being woken ----


@pytest.mark.parametrize("wait", READERS)
@pytest.mark.parametrize("way", ["read", "read_many", "iterate"])
def test_a_reader_is_woken_by_another_process(
    ring: str, spawn: Callable[..., Child], wait: str, way: str
) -> None:
    writer = spawn(
        """
        with ringlog.Writer(path) as writer:
            say("ready")
            for line in sys.stdin:
                writer.append(line.encode())
        """,
        ring,
    )
    writer.line()
    read: dict[str, Callable[[], ringlog.Event]] = {
        "read": lambda: reader.read(20),
        "read_many": lambda: reader.read_many(timeout=20)[0],
        "iterate": lambda: next(reader),
    }
    with ringlog.Reader(ring, wait=wait) as reader:
        for k in range(3):
            thread, outcome = in_thread(read[way])
            if wait in ("adaptive", "sleep"):
                eventually(lambda: sleeping(ring))
            writer.tell(f"line {k}")
            thread.join(20)
            assert isinstance(outcome[0], ringlog.Event), outcome
            assert outcome[0].data == b"line %d\n" % k
            if wait in ("adaptive", "sleep"):  # the writer has rung, it was no sleep that ran out
                with RingFile(ring, writable=False) as file:
                    assert file["sleepers_futex"] >= k + 1


def test_all_sleepers_are_woken(ring: str) -> None:
    readers = [ringlog.Reader(ring, wait="sleep") for _ in range(4)]
    waits = [in_thread(lambda reader=reader: reader.read(20).data) for reader in readers]
    eventually(lambda: sleeping(ring))
    time.sleep(0.2)
    with ringlog.Writer(ring) as writer:
        writer.append(b"all")
    for thread, outcome in waits:
        thread.join(20)
        assert outcome == [b"all"]
    for reader in readers:
        reader.close()


def test_a_busy_writer_finds_nobody_to_wake(ring: str) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, start="oldest") as reader:
        for _ in range(10):
            writer.append(b"x")
        assert len(reader.read_many()) == 10
        with RingFile(ring) as file:
            assert (file["sleepers"], file["sleepers_futex"]) == (0, 0)


# ---- what it costs ----

IDLE = """
    with ringlog.Reader(path) as reader:
        before = time.process_time()
        try:
            reader.read(3)
        except TimeoutError:
            say(time.process_time() - before)
    """


def test_an_idle_reader_uses_next_to_nothing(ring: str, spawn: Callable[..., Child]) -> None:
    """Under 1 % of a core over three seconds."""
    assert float(spawn(IDLE, ring).finish()) <= 0.03


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_an_idle_polling_reader_uses_little(ring: str, spawn: Callable[..., Child]) -> None:
    """With read permission alone it looks a thousand times a second; that many bare sleeps take 2 %
    of a core on a virtual machine, so this only tells polling from spinning."""
    os.chmod(ring, 0o644)
    assert float(spawn(IDLE, ring, user=65534).finish()) <= 0.3


def test_the_gil_is_free_while_waiting(ring: str) -> None:
    """A thread that waits for the reader below gets its work done only if the wait lets it."""
    with ringlog.Reader(ring) as reader, ringlog.Writer(ring) as writer:
        for wait in ("spin", "yield", "sleep", "adaptive"):
            with ringlog.Reader(ring, wait=wait) as reader:
                thread, outcome = in_thread(
                    lambda: [sum(range(1000)) for _ in range(200)] and writer.append(b"")
                )
                reader.read(20)
                thread.join(20)
                assert isinstance(outcome[0], int)


# ---- Ctrl-C ----

WAITS = {
    "read": "ringlog.Reader(path).read()",
    "read spinning": "ringlog.Reader(path, wait='spin').read()",
    "read_many": "ringlog.Reader(path).read_many(timeout=60)",
    "iterate": "next(ringlog.Reader(path))",
    "lossless": "ringlog.Reader(path, lossless=True).read()",
    "append, no room": "writer = ringlog.Writer(path); [writer.append(bytes(30000)) for _ in range(9)]",
    "append_many, no room": "w = ringlog.Writer(path); [w.append_many([bytes(30000)]) for _ in range(9)]",
}


@pytest.mark.parametrize("what", WAITS)
def test_control_c(ring: str, spawn: Callable[..., Child], what: str) -> None:
    blocking = ringlog.Reader(ring, lossless=True)
    child = spawn(
        f"""
        import warnings
        warnings.simplefilter("ignore")
        say("go")
        try:
            {WAITS[what]}
        except KeyboardInterrupt:
            say("interrupted")
        """,
        ring,
    )
    child.line()
    with RingFile(ring) as file:
        if "room" in what:
            eventually(lambda: file["room_wanted"])
        elif "spin" not in what:
            eventually(lambda: file["sleepers"])
        else:
            process = psutil.Process(child.pid)
            spun = process.cpu_times().user + 0.1
            eventually(lambda: process.cpu_times().user > spun)
        count = ringlog.info(ring).event_count
        child.signal(signal.SIGINT)
        assert child.line() == "interrupted"
        child.finish()
        assert ringlog.info(ring).event_count == count
        assert file["owner"] == 0
    blocking.close()
    with ringlog.Writer(ring, timeout=20) as writer:  # and nothing is left in the way of the next
        assert writer.append(bytes(30000)) == count
