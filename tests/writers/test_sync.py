"""G9: what `sync` of a writer does while it runs, and when it is closed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile
from processes import Child
from writer_support import assert_consistent, contents, crash, restarted

import ringlog

CAPACITY = 1 << 16


def test_an_interval_syncs_without_being_asked(disk_path: str) -> None:
    writer = ringlog.Writer(disk_path, capacity=CAPACITY, sync=0.05)
    try:
        for k in range(20):
            writer.append(b"event %d" % k)
        deadline = time.monotonic() + 20
        copy = disk_path + ".copy"
        while True:
            shutil.copyfile(disk_path, copy)
            crash(copy)
            ringlog.Writer(copy, timeout=10).close()
            if len(contents(copy)) == 20:
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        writer.close()


@pytest.mark.parametrize("sync", ["always", 0.05])
def test_a_stream_that_was_ended_closes_quietly(disk_path: str, sync: str | float) -> None:
    writer = ringlog.Writer(disk_path, capacity=CAPACITY, sync=sync)  # type: ignore[arg-type]
    writer.append(b"last")
    writer.end()
    time.sleep(0.2)
    writer.close()
    assert ringlog.info(disk_path).ended


def test_sync_in_memory_is_refused(ring_path: str) -> None:
    if not ring_path.startswith("/dev/shm"):
        pytest.skip("no file system in memory")
    for sync in ("always", 0.5):
        with pytest.raises(ValueError, match="memory"):
            ringlog.Writer(ring_path, capacity=CAPACITY, sync=sync)  # type: ignore[arg-type]
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer, pytest.raises(ValueError, match="memory"):
        writer.sync()


def test_closing_while_other_threads_append_stays_one_writer(
    disk_path: str, spawn: Callable[..., Child]
) -> None:
    """close() syncs under the lock of another thread's append, not beside it."""
    code = """
        writer = ringlog.Writer(path, timeout=30, sync="always")
        counts = [0] * 4
        def run(who):
            try:
                while True:
                    writer.append(b"thread %d %d" % (who, counts[who]) * 100)
                    counts[who] += 1
            except ringlog.ClosedError:
                pass
        threads = [threading.Thread(target=run, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        writer.close()
        for thread in threads:
            thread.join()
        say(sum(counts))
    """
    ringlog.create(disk_path, 1 << 22)
    for _ in range(3):
        before = ringlog.info(disk_path).event_count
        children = [spawn(code, disk_path) for _ in range(2)]
        counts = [int(child.line(10)) for child in children]
        for child in children:
            child.finish()
        assert assert_consistent(disk_path) == before + sum(counts)


TWO_WRITERS = """
import os, sys, ringlog
with ringlog.Writer(sys.argv[1], sync="always") as durable, ringlog.Writer(sys.argv[1]) as other:
    for _ in range(500):
        other.append(bytes(1000))
    os.write(2, b"begins")
    durable.append(b"durable")
    os.write(2, b"returned")
"""


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_what_a_commit_record_covers_is_on_disk_whoever_appended_it(disk_path: str, tmp_path: Path) -> None:
    """The record's window begins with events of a writer that does not sync. Before the append returns
    their bytes must be on disk as well: otherwise no reader finds the way to its event after a crash."""
    ringlog.create(disk_path, 1 << 20)
    log = tmp_path / "strace"
    command = ["strace", "-f", "-o", log, "-e", "trace=msync,write", sys.executable, "-c", TWO_WRITERS]
    subprocess.run([*command, disk_path], cwd="/", check=True, capture_output=True)
    meanwhile = log.read_text().partition("begins")[2].partition("returned")[0]
    ranges = [int(size) for size in re.findall(r"msync\(0x[0-9a-f]+, (\d+), MS_SYNC\)", meanwhile)]
    header = ringlog.info(disk_path).data_start
    assert sum(size for size in ranges if size != header) >= 500 * (16 + 1000)


def test_records_that_may_not_be_on_disk_are_synced_before_the_next_entry(disk_path: str) -> None:
    """A writer was killed, or its disk failed, between changing a record and syncing it."""
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync="always") as writer:
        writer.append(b"0")
        with RingFile(disk_path) as file:
            file["commits_dirty"] = 1
            with ringlog.Writer(disk_path) as other:
                other.append(b"1")
            assert file["commits_dirty"] == 0


def test_a_claim_is_on_disk_before_readers_see_it(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync="always") as writer:
        for k in range(300):  # several laps
            claim = writer.claim(500)
            with claim as view:
                view[:] = bytes([k & 0xFF]) * 500
            assert claim.sequence == k
        with pytest.raises(BufferError), writer.claim(500) as view:
            held = view[1:]
        dropped = writer.claim(500)
        dropped.__enter__()[:] = b"\xee" * 500
        del dropped
        held[:] = b"\xdd" * 499
        expected = contents(disk_path)
        assert len(expected) > 60
        copy = disk_path + ".copy"
        shutil.copyfile(disk_path, copy)
    crash(copy)
    assert restarted(copy) == expected
    assert assert_consistent(copy) == 300
