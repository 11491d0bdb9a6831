"""What LogWriter opens, and what it must leave alone; what it leaves behind when something fails midway."""

from __future__ import annotations

import errno
import os
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from log_support import numbered, parse, read_all, segments, whole
from processes import Child, eventually

import ringlog
from ringlog.log import open_segment


def filled(log: Path, count: int = 20_000) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append_many(numbered(count, 100))


def test_an_empty_ring_is_no_log(ring_path: str) -> None:
    """Its first words are an empty stream's."""
    ringlog.create(ring_path, 65536)
    size = os.stat(ring_path).st_size
    for opens in (ringlog.LogWriter, ringlog.LogReader):
        with pytest.raises(ringlog.NotARing):
            opens(ring_path)
    assert os.stat(ring_path).st_size == size
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"x")
    with pytest.raises(ringlog.RinglogError):
        ringlog.LogWriter(ring_path)


def test_cut_in_front_of_its_indexs_last_point(log: Path) -> None:
    filled(log)
    (path,) = segments(log)
    os.truncate(path, 300_000)
    with ringlog.LogWriter(log) as writer:
        assert "cut off" in writer.recovered
        kept = writer.sequence
        assert kept == (300_000 - 24) // 116
        writer.append(b"new")
    assert read_all(log) == [*numbered(20_000, 100)[:kept], b"new"]
    assert ringlog.verify(log).ok


@pytest.mark.parametrize("by", ["the next writer", "repair"])
def test_what_is_cut_off_takes_its_index_along(log: Path, by: str) -> None:
    """Points behind the cut would be believed again once the file is that long."""
    filled(log)
    (path,) = segments(log)
    os.truncate(path, 300_000)
    if by == "repair":
        assert ringlog.repair(path, apply=True).done
    writer = ringlog.LogWriter(log)
    writer.append_many([b"y" * 7] * 90_000)
    image = path.read_bytes()  # as a kill leaves it
    index = path.with_suffix(".index")
    left = index.read_bytes() if index.exists() else None
    writer.close()
    path.write_bytes(image)
    index.unlink()
    if left is not None:
        index.write_bytes(left)
    with ringlog.LogReader(log, start=60_000) as reader:
        assert reader.read(0).sequence == 60_000
    with ringlog.LogWriter(log) as writer:
        assert writer.recovered == ""
        assert writer.sequence == (300_000 - 24) // 116 + 90_000


@pytest.mark.parametrize("failing", ["open", "link", "Segment", "ftruncate"])
def test_a_roll_that_fails(log: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """The append raises; later ones go on, and nothing is lost or twice."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    writer = ringlog.LogWriter(log, segment_bytes=5000)
    datas = numbered(100, 100)
    writer.append_many(datas[:40])
    with monkeypatch.context() as patched:
        if failing == "Segment":
            patched.setattr(open_segment._core, "Segment", fail)
        else:
            patched.setattr(open_segment.os, failing, fail)
        for _ in range(3):
            with pytest.raises(OSError, match="too many"):
                writer.append_many(datas[40:80])
    for data in datas[40:]:
        writer.append(data)
    writer.close()
    assert [event.data for event in whole(log)] == datas
    assert ringlog.verify(log).ok
    assert not [path for path in log.iterdir() if path.suffix not in (".events", ".index")]


def test_a_roll_that_was_interrupted_behind_its_name(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty segment of ours is there: it is the next."""
    real = os.unlink

    def interrupted(path: str) -> None:
        real(path)
        if os.path.basename(path).startswith("."):
            raise KeyboardInterrupt

    writer = ringlog.LogWriter(log, segment_bytes=5000)
    datas = numbered(100, 100)
    writer.append_many(datas[:40])
    follower = ringlog.LogReader(log, follow=True)
    assert [follower.read(0).data for _ in range(40)] == datas[:40]
    with monkeypatch.context() as patched:
        patched.setattr(open_segment.os, "unlink", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.append_many(datas[40:80])
    assert follower.poll() is None
    writer.append_many(datas[40:80])
    writer.close()
    assert [follower.read(0).data for _ in range(40)] == datas[40:80]
    follower.close()
    assert [event.data for event in whole(log)] == datas[:80]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_signals_at_every_moment_of_rolls(log: Path) -> None:
    """Exceptions of a signal's handler, at random: what an append returned is there, once."""

    class Alarm(Exception):
        pass

    def raise_it(_number: int, _frame: object) -> None:
        raise Alarm

    kept: list[bytes] = []
    before = signal.signal(signal.SIGALRM, raise_it)
    writer = ringlog.LogWriter(log, segment_bytes=300)
    try:
        for number in range(300):
            data = b"%d" % number * 30
            due = writer.sequence
            try:
                signal.setitimer(signal.ITIMER_REAL, (number % 60 + 1) * 1e-5)
                for _ in range(5):
                    writer.append(data)
                    kept.append(data)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
                kept += [data] * (writer.sequence - due - kept[-5:].count(data))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        writer.close()
    assert read_all(log) == kept
    with ringlog.LogWriter(log) as writer:
        assert writer.sequence == len(kept)


def test_a_forked_child_does_not_keep_the_lock(log: Path) -> None:
    writer = ringlog.LogWriter(log)
    writer.append(b"x")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)  # until the parent has done
        os._exit(0)
    os.close(reading)
    try:
        with pytest.raises(ringlog.WriterBusy):
            ringlog.LogWriter(log)
        writer.close()
        with ringlog.LogWriter(log) as again:
            again.append(b"y")
    finally:
        os.close(writing)
        os.waitpid(child, 0)


def test_a_killed_parents_child_does_not_keep_the_lock(log: Path, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        import os, time
        writer = ringlog.LogWriter(path)
        writer.append(b"x")
        if not (pid := os.fork()):
            time.sleep(100)
        say(pid)
        time.sleep(100)
        """,
        log,
    )
    grandchild = int(child.line())

    def next_one() -> int:
        try:
            with ringlog.LogWriter(log) as writer:
                return writer.sequence
        except ringlog.WriterBusy:  # the kill is on its way
            return 0

    try:
        child.signal(signal.SIGKILL)
        assert eventually(next_one) == 1
    finally:
        os.kill(grandchild, signal.SIGKILL)
    child.finish(code=-signal.SIGKILL)


def test_many_threads_close_it(log: Path) -> None:
    for _ in range(20):
        writer = ringlog.LogWriter(log, segment_bytes=3000)
        errors: list[BaseException] = []

        def use(writer: ringlog.LogWriter = writer, errors: list[BaseException] = errors) -> None:
            try:
                while True:
                    writer.append(b"x" * 100)
            except ringlog.ClosedError:
                pass
            except BaseException as error:
                errors.append(error)

        def close(writer: ringlog.LogWriter = writer, errors: list[BaseException] = errors) -> None:
            try:
                writer.close()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=target) for target in (use, use, close, close, close)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
    assert ringlog.verify(log).ok


def test_nobody_else_may_read_it(log: Path, ring_path: str) -> None:
    """As a ring; a recording is for whom its ring is for."""

    def modes(folder: Path) -> set[int]:
        return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    with ringlog.LogWriter(log, segment_bytes=3000) as writer:
        writer.append_many(numbered(20, 100))
        writer.append_many(numbered(20, 100))
    assert stat.S_IMODE(log.stat().st_mode) == 0o700
    assert modes(log) == {0o600}
    with ringlog.LogReader(log, start=30):
        pass
    ringlog.create(ring_path, 65536, mode=0o640)
    with ringlog.Writer(ring_path) as ring:
        ring.append_many(numbered(50, 100))
    recorded = log.parent / "recorded"
    ringlog.record(ring_path, recorded, segment_bytes=3000, stop=lambda: True)
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o750
    assert modes(recorded) == {0o640}
    assert len(parse(segments(recorded)[0]).events) > 1


def test_a_disk_that_is_nearly_full(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits is written; what does not is an error that says how much and where."""
    real, free = os.posix_fallocate, [100_000]

    def short(fd: int, start: int, size: int) -> None:
        if size > free[0]:
            raise OSError(errno.ENOSPC, "no space")
        free[0] -= size
        real(fd, start, size)

    monkeypatch.setattr(open_segment.os, "posix_fallocate", short)
    with ringlog.LogWriter(log) as writer:
        written = 0

        def write_all() -> None:
            nonlocal written
            while True:
                writer.append(b"x" * 100)
                written += 1

        with pytest.raises(OSError, match="bytes more for the log") as full:
            write_all()
        assert full.value.errno == errno.ENOSPC
        assert full.value.filename == str(segments(log)[0])
        assert written >= 100_000 // 116
        free[0] = 10_000_000
        assert writer.append(b"y") == written
    assert read_all(log) == [b"x" * 100] * written + [b"y"]
