"""LogWriter: what it writes is the seed's format, in segments, and no more than was asked for."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from log_support import numbered, parse, read_all, segments, whole
from processes import Child

import ringlog

NEW = "00000000000000000000.events"


def test_the_files_are_the_seeds(log: Path) -> None:
    before = time.time_ns()
    with ringlog.LogWriter(log) as writer:
        assert [writer.append(data) for data in numbered(5)] == [0, 1, 2, 3, 4]
        assert writer.append_many(numbered(3, first=5)) == range(5, 8)
        assert writer.append_array(np.arange(6, dtype="<u4").reshape(2, 3)) == range(8, 10)
        assert writer.append(b"", timestamp=(stamp := time.time_ns())) == 10
    (path,) = segments(log)
    assert path.name == NEW
    found = parse(path)
    assert [event.data for event in found.events[:8]] == numbered(8)
    assert [len(event.data) for event in found.events[8:]] == [12, 12, 0]
    assert found.events[-1].timestamp == stamp
    assert before <= found.start_timestamp <= found.events[0].timestamp
    assert path.stat().st_size == found.write_offset  # nothing behind the end
    assert ringlog.verify(log).ok


def test_a_log_can_be_one_file(log: Path) -> None:
    path = log.with_suffix(".events")
    with ringlog.LogWriter(path, segment_bytes=1000) as writer:
        writer.append_many(numbered(500))
    assert path.is_file()
    assert [event.data for event in parse(path).events] == numbered(500)  # one file is not rolled
    with ringlog.LogWriter(path) as writer:
        assert writer.append(b"more") == 500
    assert read_all(path) == [*numbered(500), b"more"]


def test_it_goes_on_where_it_was(log: Path) -> None:
    for k in range(4):
        with ringlog.LogWriter(log, segment_bytes=2000) as writer:
            assert writer.recovered == ""
            assert writer.append_many(numbered(30, first=30 * k)) == range(30 * k, 30 * k + 30)
    assert [event.data for event in whole(log)] == numbered(120)
    starts = {parse(path, int(path.stem)).start_timestamp for path in segments(log)}
    assert len(starts) == 1  # the stream's


@pytest.mark.parametrize("size", [0, 1, 20, 100])
def test_it_rolls_by_size(log: Path, size: int) -> None:
    with ringlog.LogWriter(log, segment_bytes=1024) as writer:
        for data in [bytes(size)] * 300:
            writer.append(data)
    files = segments(log)
    assert len(files) > 3
    for path, following in itertools.pairwise(files):
        found = parse(path, int(path.stem))
        assert path.stat().st_size == found.write_offset <= 1024
        assert found.write_offset + size + 16 > 1024  # it was full
        assert int(following.stem) == int(path.stem) + found.event_count
    assert len(whole(log)) == 300


def test_what_is_larger_than_a_segment_has_one_of_its_own(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=1024) as writer:
        writer.append(b"small")
        writer.append(bytes(50_000))
        writer.append_many([bytes(100)] * 30)
        writer.append(b"small")
    assert [path.stem.lstrip("0") for path in segments(log)] == ["", "1", "2", "32"]
    assert len(whole(log)) == 33


def test_a_batch_is_in_one_segment(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=1024) as writer:
        for k in range(20):
            writer.append_many(numbered(20, first=20 * k))
    assert all(int(path.stem) % 20 == 0 for path in segments(log))


def test_times_never_go_back(log: Path) -> None:
    late = time.time_ns() + 10**9
    with ringlog.LogWriter(log) as writer:
        writer.append(b"", timestamp=late)
        writer.append(b"")
        with pytest.raises(ValueError, match="before that of the last"):
            writer.append(b"", timestamp=late - 1)
        with pytest.raises(ValueError, match="ahead of the clock"):
            writer.append(b"", timestamp=late + 3700 * 10**9)
    with ringlog.LogWriter(log) as writer:  # it knows the last time
        with pytest.raises(ValueError, match="before that of the last"):
            writer.append(b"", timestamp=late - 1)
        writer.append(b"")
    assert [event.timestamp for event in whole(log)] == [late] * 3


def test_one_writer_at_a_time(log: Path, spawn: Callable[..., Child]) -> None:
    with ringlog.LogWriter(log) as writer:
        with pytest.raises(ringlog.WriterBusy):
            ringlog.LogWriter(log)
        child = spawn(
            """
            try:
                ringlog.LogWriter(path)
            except ringlog.WriterBusy as error:
                say("busy")
            """,
            log,
        )
        assert child.line() == "busy"
        child.finish()
        writer.append(b"a")
        with pytest.raises(ringlog.WriterBusy):
            ringlog.repair(log, apply=True)
    ringlog.LogWriter(log).close()


def test_threads_take_turns(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=20_000) as writer:

        def write(which: int) -> None:
            for k in range(500):
                writer.append(b"%d %d" % (which, k))

        threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen = [tuple(map(int, data.split())) for data in read_all(log)]
    assert sorted(seen) == [(which, k) for which in range(4) for k in range(500)]
    for which in range(4):
        assert [k for w, k in seen if w == which] == list(range(500))


def test_a_forked_child_can_not_write(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"parent")
        pid = os.fork()
        if pid == 0:
            try:
                writer.append(b"child")
            except ringlog.ClosedError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        with pytest.raises(ringlog.WriterBusy):  # nor did the child let others in
            ringlog.LogWriter(log)
    assert read_all(log) == [b"parent"]


def test_closed(log: Path) -> None:
    writer = ringlog.LogWriter(log)
    writer.append(b"a")
    writer.close()
    writer.close()
    for call in (lambda: writer.append(b"b"), writer.sync):
        with pytest.raises(ringlog.ClosedError):
            call()
    assert "closed" in repr(writer)


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (ValueError, {"segment_bytes": 0}),
        (TypeError, {"segment_bytes": 1e9}),
        (ValueError, {"sync": "sometimes"}),
        (ValueError, {"keep_segments": 0}),
        (ValueError, {"keep_age": -1}),
        (TypeError, {"keep_bytes": "1 GB"}),
    ],
)
def test_bad_arguments_make_nothing(log: Path, error: type[Exception], options: dict[str, object]) -> None:
    with pytest.raises(error):
        ringlog.LogWriter(log, **options)  # type: ignore[arg-type]
    assert not log.exists()


def test_what_is_no_log(log: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ringlog.LogWriter(log / "in" / "nothing")
    log.write_bytes(b"")
    with pytest.raises(ringlog.NotARing):
        ringlog.LogWriter(log)
    log.write_bytes(b"something else entirely, and long enough")
    with pytest.raises(ringlog.NotARing):
        ringlog.LogWriter(log)
    assert log.read_bytes() == b"something else entirely, and long enough"


def test_sync_needs_a_disk(log: Path) -> None:
    if not str(log).startswith("/dev/shm"):
        pytest.skip("not in memory")
    with pytest.raises(ValueError, match="in memory"):
        ringlog.LogWriter(log, sync="always")
    with ringlog.LogWriter(log) as writer, pytest.raises(ValueError, match="in memory"):
        writer.sync()


@pytest.mark.parametrize("sync", ["always", 0.01])
def test_sync_on_a_disk(tmp_path: Path, sync: str | float) -> None:
    log = tmp_path / "log"
    with ringlog.LogWriter(log, segment_bytes=5000, sync=sync) as writer:  # type: ignore[arg-type]
        for data in numbered(300):
            writer.append(data)
        writer.sync()
    assert read_all(log) == numbered(300)
