"""G9: after a crash of the machine nothing is believed but a commit record.

The crash is planted: another boot id, on a file system with a disk. What was not synced may be anything
by then, so the tests scribble over it.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Callable

import pytest
from oracle import RingFile, decode
from processes import NOBODY, Child
from writer_support import assert_consistent, contents, crash, restarted

import ringlog
from ringlog import _core

CAPACITY = 1 << 16


@pytest.mark.parametrize("scribble", [False, True])
@pytest.mark.parametrize("events", [0, 10, 5000])
def test_without_a_commit_record_the_window_is_empty(disk_path: str, events: int, scribble: bool) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY) as writer:
        for k in range(events):
            writer.append(b"event %d" % k)
    before = ringlog.info(disk_path).stream_id
    crash(disk_path, scribble=scribble)
    with ringlog.Writer(disk_path, timeout=10) as writer:
        seen = ringlog.info(disk_path)
        assert (seen.event_count, seen.tail_count, seen.write_offset) == (0, 0, 24)
        assert seen.stream_id != before
        assert writer.append(b"first") == 0
    assert contents(disk_path) == [(0, b"first")]
    assert assert_consistent(disk_path) == 1


def test_a_ring_goes_back_to_what_was_synced(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY) as writer:
        for k in range(10):
            writer.append(b"kept %d" % k)
        writer.sync()
        behind = ringlog.info(disk_path).write_offset
        for k in range(10):
            writer.append(b"dropped %d" % k)
    before = ringlog.info(disk_path).stream_id
    crash(disk_path, behind=behind)
    with ringlog.Writer(disk_path, timeout=10) as writer:
        assert ringlog.info(disk_path).stream_id != before
        assert contents(disk_path) == [(k, b"kept %d" % k) for k in range(10)]
        assert writer.append(b"next") == 10
    events = decode(disk_path)
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    assert events[-1].timestamp < time.time_ns() + 10**9
    assert_consistent(disk_path)


def test_a_ring_goes_back_to_what_was_synced_last(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY) as writer:
        for k in range(5):
            writer.append(b"kept %d" % k)
            writer.sync()
    with RingFile(disk_path) as file:
        half = bytearray(file.raw("commits"))
    crash(disk_path)
    assert len(restarted(disk_path)) == 5
    # A record that was being written when the power went is not believed: then it is the one before.
    for which in (0, 1):
        with RingFile(disk_path) as file:
            broken = bytearray(half)
            broken[which * 512 + 8] ^= 1
            file["commits"] = bytes(broken)
            file["stream_id"] = broken[which * 512 + 48 :][:16]
        crash(disk_path)
        assert len(restarted(disk_path)) in (4, 5)


def test_a_clean_close_keeps_the_stream(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=60.0) as writer:
        for k in range(5000):
            writer.append(b"event %d" % k)
    before = ringlog.info(disk_path)
    window = contents(disk_path)
    crash(disk_path, scribble=False)
    with ringlog.Writer(disk_path, timeout=10) as writer:
        after = ringlog.info(disk_path)
        assert after.stream_id == before.stream_id
        assert (after.event_count, after.tail_count) == (before.event_count, before.tail_count)
        assert contents(disk_path) == window
        assert writer.append(b"next") == 5000
    assert_consistent(disk_path)


def test_clean_counts_only_until_somebody_opens_the_ring_again(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=60.0) as writer:
        writer.append(b"0")
    before = ringlog.info(disk_path).stream_id
    with ringlog.Writer(disk_path) as writer:
        writer.append(b"seen by a reader, and never synced")
    # The kernel has not got to the head's page: on disk it looks as if nothing had been published.
    with RingFile(disk_path) as file:
        file.set_pair("head", 24 + 16 + 1, 1)
    crash(disk_path, scribble=False)
    assert restarted(disk_path) == [(0, b"0")]
    assert ringlog.info(disk_path).stream_id != before


# Where entries are of one size that divides the capacity, later ones stand exactly where earlier ones stood.
@pytest.mark.parametrize("later", [b"later %010d", b"of another size %06d"])
@pytest.mark.parametrize("sync", ["none", 60.0])
def test_a_synced_window_that_was_overwritten_since_is_not_shown(
    disk_path: str, sync: str | float, later: bytes
) -> None:
    """sync(), then more than a lap: the record names a window whose bytes are others by now."""
    copy = disk_path + ".copy"
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=sync) as writer:  # type: ignore[arg-type]
        for k in range(1000):
            writer.append(b"first %010d" % k)
        writer.sync()
        for k in range(1000, 6000):
            writer.append(later % k)
        shutil.copyfile(disk_path, copy)  # the machine goes down now: no close, which would sync again
    crash(copy, scribble=False)
    ringlog.Writer(copy, timeout=10).close()
    # Nothing, or what an interval's sync brought to the disk meanwhile: each under its own sequence.
    written = [b"first %010d" % k for k in range(1000)] + [later % k for k in range(1000, 6000)]
    assert [event for event in contents(copy) if event[1] != written[event[0]]] == []


@pytest.mark.parametrize("count", [1, 30, 400])
def test_with_sync_always_everything_that_returned_is_there(
    disk_path: str, spawn: Callable[..., Child], count: int
) -> None:
    """At every moment: the writer lives, and a copy of its file is what the disk shows after the crash."""
    code = """
        with ringlog.Writer(path, sync="always", timeout=30) as writer:
            for k in range(int(sys.argv[2])):
                data = b"event %d" % k + bytes(200)
                writer.append(data) if k % 50 else writer.append_many([data])
            say("done")
            sys.stdin.readline()
    """
    ringlog.create(disk_path, CAPACITY)
    child = spawn(code, disk_path, count)
    assert child.line() == "done"
    window = contents(disk_path)
    child.kill()
    crash(disk_path, behind=ringlog.info(disk_path).write_offset)
    with ringlog.Writer(disk_path, timeout=10) as writer:
        assert contents(disk_path) == window
        assert window[-1] == (count - 1, b"event %d" % (count - 1) + bytes(200))
        assert writer.append(b"next") == count


@pytest.mark.parametrize("beyond", [0, 3])
def test_a_name_keeps_its_place_as_far_as_the_stream_goes(disk_path: str, beyond: int) -> None:
    """Otherwise what is on disk, and was not read yet, would be passed over in silence."""
    with ringlog.Writer(disk_path, capacity=CAPACITY) as writer:
        for k in range(10):
            writer.append(b"kept %d" % k)
        writer.sync()
        for k in range(5):
            writer.append(b"dropped %d" % k)
        finished = 10 + beyond if beyond else 4
        with ringlog.Reader(disk_path, start="oldest", name="billing") as reader:
            reader.read_many(finished)
        with ringlog.Reader(disk_path, start="oldest", lossless=True):
            crashed = disk_path + ".copy"
            shutil.copyfile(disk_path, crashed)
    crash(crashed)
    with ringlog.Writer(crashed, timeout=10) as writer:
        assert [reader.name for reader in ringlog.info(crashed).readers] == ["billing"]
        writer.append(b"new")
        with ringlog.Reader(crashed, name="billing") as reader:
            expected = [b"kept %d" % k for k in range(finished, 10)] + [b"new"]
            assert [event.data for event in reader.read_many()] == expected


def test_a_loss_that_was_noted_beyond_what_is_left_is_none(disk_path: str) -> None:
    """The first sequence that may be lost, written back before the cursor that it belongs to."""
    with ringlog.Writer(disk_path, capacity=CAPACITY) as writer:
        for k in range(5):
            writer.append(b"kept %d" % k)
        writer.sync()
        with ringlog.Reader(disk_path, start="oldest", name="billing") as reader:
            reader.read_many(2)
        for k in range(10):
            writer.append(b"dropped %d" % k)
        crashed = disk_path + ".copy"
        shutil.copyfile(disk_path, crashed)
    with open(crashed, "r+b") as file:
        file.seek(_core.READERS_OFFSET + 112)
        file.write(struct.pack("<q", 12 + 1))
    crash(crashed)
    with ringlog.Writer(crashed, timeout=10), ringlog.Reader(crashed, name="billing") as reader:
        assert [event.data for event in reader.read_many()] == [b"kept 2", b"kept 3", b"kept 4"]


def test_the_end_of_a_stream_outlives_the_machine(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=60.0) as writer:
        writer.append(b"last")
        writer.end()
    crash(disk_path, scribble=False)
    ringlog.Writer(disk_path, timeout=10).close()
    assert ringlog.info(disk_path).ended


def test_a_removal_that_the_disk_knows_only_half_of_has_not_happened(disk_path: str) -> None:
    """The mark has been written back, and the directory not: a ring that nobody could write to, for ever."""
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=60.0) as writer:
        writer.append(b"0")
    with RingFile(disk_path) as file:
        file["removed"] = 1
    crash(disk_path, scribble=False)
    with ringlog.Writer(disk_path, timeout=10) as writer:
        assert writer.append(b"1") == 1
    assert contents(disk_path) == [(0, b"0"), (1, b"1")]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_who_may_only_read_is_told_that_a_writer_is_needed(
    disk_path: str, spawn: Callable[..., Child]
) -> None:
    code = """
        try:
            ringlog.Reader(path)
        except ringlog.CorruptStream as error:
            say(error)
    """
    ringlog.create(disk_path, CAPACITY, mode=0o644)
    crash(disk_path)
    child = spawn(code, disk_path, user=NOBODY)
    assert "restarted" in child.line()
    child.finish()
    assert restarted(disk_path) == []
