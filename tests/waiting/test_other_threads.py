"""A reader that waits awake may keep the GIL, but never from anybody who wants it."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Iterator

import pytest

import ringlog

WAITS = ["spin", "adaptive", "yield", "sleep"]
libc = ctypes.CDLL(None, use_errno=True)
START = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


@pytest.fixture
def ends(ring_path: str, request: pytest.FixtureRequest) -> Iterator[tuple[ringlog.Writer, ringlog.Reader]]:
    wait = request.param
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path, wait=wait) as reader:
        yield writer, reader


@pytest.mark.parametrize("ends", WAITS, indirect=True)
def test_a_thread_that_C_code_makes(ends: tuple[ringlog.Writer, ringlog.Reader]) -> None:
    """No Python code has made it, and nobody could have told the reader of it: it just wants the GIL."""
    writer, reader = ends
    seen: list[int] = []

    @START
    def run(_: object) -> None:
        for number in range(20):
            writer.append(str(number).encode())
            while len(seen) <= number:
                time.sleep(0.0005)

    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, run, None) == 0
    for _ in range(20):
        seen.append(int(reader.read(timeout=30).data))
    assert libc.pthread_join(thread, None) == 0
    assert seen == list(range(20))


@pytest.mark.parametrize("ends", WAITS, indirect=True)
def test_a_thread_that_was_there_before(ends: tuple[ringlog.Writer, ringlog.Reader]) -> None:
    writer, reader = ends
    turns = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1
            if turns == 50_000:
                writer.append(b"enough")

    thread = threading.Thread(target=count)
    thread.start()
    try:
        assert reader.read(timeout=60).data == b"enough"
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("ends", WAITS, indirect=True)
def test_a_signal_handler_runs(ends: tuple[ringlog.Writer, ringlog.Reader]) -> None:
    """With no other thread at all, and nothing that would let the GIL go."""
    writer, reader = ends
    before = signal.signal(signal.SIGALRM, lambda *_: writer.append(b"from the handler"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert reader.read(timeout=60).data == b"from the handler"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
