"""Several threads, writers and processes append at once: whole events, whole batches, everybody's order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from oracle import decode
from processes import Child
from writer_support import IMPORTABLE, assert_consistent, assert_whole, payload

import ringlog

BATCH = 13


def append_all(writer: ringlog.Writer, who: int, count: int, largest: int = 200) -> None:
    """`count` events, alternately one and a batch."""
    number = 0
    while number < count:
        assert isinstance(writer.append(payload(who, number, largest)), int)
        number += 1
        batch = range(number, min(number + BATCH, count))
        got = writer.append_many(payload(who, k, largest) for k in batch)
        assert len(got) == len(batch)
        number = batch.stop


def assert_batches(origins: list[tuple[int, int]], count: int) -> None:
    """What was appended in one batch stands together."""
    place = {origin: k for k, origin in enumerate(origins)}
    for who in {who for who, _ in origins}:
        for first in range(1, count - 1, BATCH + 1):
            last = min(first + BATCH, count) - 1
            assert place[who, last] - place[who, first] == last - first


def in_threads(targets: list[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def run(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not errors, errors


@pytest.mark.parametrize("lock", ["append", "session"])
def test_eight_threads_share_one_writer(ring_path: str, lock: str) -> None:
    count = 3000
    with ringlog.Writer(ring_path, capacity=1 << 23, lock=lock, timeout=60) as writer:
        in_threads([lambda who=who: append_all(writer, who, count) for who in range(8)])
    assert_batches(assert_whole(decode(ring_path), dict.fromkeys(range(8), count)), count)
    assert_consistent(ring_path)


def test_eight_writers_in_one_process(ring_path: str) -> None:
    count = 1500
    ringlog.create(ring_path, 1 << 22)

    def run(who: int) -> None:
        with ringlog.Writer(ring_path, timeout=60) as writer:
            append_all(writer, who, count)

    in_threads([lambda who=who: run(who) for who in range(8)])
    assert_batches(assert_whole(decode(ring_path), dict.fromkeys(range(8), count)), count)
    assert_consistent(ring_path)


def test_threads_with_events_so_large_that_the_gil_is_free(ring_path: str) -> None:
    count, largest = 60, 400_000
    events: list[tuple[int, int, bytes]] = []
    with (
        ringlog.Writer(ring_path, capacity=1 << 25, timeout=60) as writer,
        ringlog.Reader(ring_path, start="oldest", lossless=True) as reader,
    ):

        def read() -> None:
            while len(events) < 3 * count:
                events.extend(tuple(event) for event in reader.read_many(timeout=30))

        def append(who: int) -> None:
            for number in range(count):
                writer.append(payload(who, number * 997, largest))

        in_threads([read, *(lambda who=who: append(who) for who in range(3))])
    assert [event[0] for event in events] == list(range(3 * count))
    assert sorted(event[2] for event in events) == sorted(
        payload(who, number * 997, largest) for who in range(3) for number in range(count)
    )


PROCESS = (
    IMPORTABLE
    + """
from test_appenders import append_all, in_threads
first, threads, count = map(int, sys.argv[2:5])
with ringlog.Writer(path, timeout=60) as writer:
    say("ready")
    sys.stdin.readline()
    in_threads([lambda who=who: append_all(writer, who, count) for who in range(first, first + threads)])
say("done")
"""
)


def test_processes_with_threads(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Three processes, in one of them three threads; a lossless reader of a small ring holds them back."""
    count = 2000
    ringlog.create(ring_path, 1 << 17)
    children = [spawn(PROCESS, ring_path, 0, 1, count), spawn(PROCESS, ring_path, 1, 1, count)]
    children.append(spawn(PROCESS, ring_path, 2, 3, count))
    for child in children:
        assert child.line() == "ready"
    events: list[tuple[int, int, bytes]] = []
    with ringlog.Reader(ring_path, start="oldest", lossless=True) as reader:
        for child in children:
            child.tell()
        while len(events) < 5 * count:
            more = reader.read_many(timeout=30)
            assert more
            events += [tuple(event) for event in more]
    for child in children:
        assert child.line() == "done"
        child.finish()
    assert_batches(assert_whole(events, dict.fromkeys(range(5), count)), count)
    assert_consistent(ring_path)


HOT = """
count = 0
with ringlog.Writer(path, timeout=60) as writer:
    data = bytes(int(sys.argv[3]))
    say("ready")
    sys.stdin.readline()
    until = time.monotonic() + float(sys.argv[2])
    longest, before = 0.0, time.monotonic()
    while before < until:
        writer.append(data)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
        count += 1
say(count, longest)
"""


@pytest.mark.parametrize("size", [64, 30_000])
def test_nobody_starves_behind_hot_loops(ring_path: str, spawn: Callable[..., Child], size: int) -> None:
    ringlog.create(ring_path, 1 << 20)
    children = [spawn(HOT, ring_path, 1.5, size) for _ in range(4)]
    for child in children:
        assert child.line() == "ready"
    for child in children:
        child.tell()
    appended = 0
    with ringlog.Writer(ring_path, timeout=60) as writer:
        for _ in range(10):
            writer.append(b"now and then")
            appended += 1
            time.sleep(0.05)
    said = [child.line().split() for child in children]
    counts = [int(count) for count, _ in said]
    print(f"events {counts}, longest append {max(float(longest) for _, longest in said):.3f} s")
    assert min(counts) >= 3
    for child in children:
        child.finish()
    assert assert_consistent(ring_path) == sum(counts) + appended


def test_no_thread_of_a_writer_starves(ring_path: str) -> None:
    """With events so large that the GIL is free while they are copied."""
    until = time.monotonic() + 1.5
    counts = [0] * 4
    with ringlog.Writer(ring_path, capacity=1 << 24, timeout=60) as writer:
        data = bytes(2_000_000)

        def run(who: int) -> None:
            while time.monotonic() < until:
                writer.append(data)
                counts[who] += 1

        in_threads([lambda who=who: run(who) for who in range(4)])
    print(f"events by thread: {counts}")
    assert min(counts) >= 3


def test_a_timeout_counts_for_an_empty_batch_too(ring_path: str, spawn: Callable[..., Child]) -> None:
    code = """
        with ringlog.Writer(path, timeout=0.2) as writer:
            try:
                writer.append_many([])
            except ringlog.WriterBusy:
                say("busy")
    """
    with ringlog.Writer(ring_path, capacity=1 << 16, lock="session") as holder:
        holder.append(b"0")
        child = spawn(code, ring_path)
        assert child.line(10) == "busy"
        child.finish()
