"""A writer of a log that is killed leaves a clean prefix; what was unfinished is cut off, and reported."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from log_support import ENTRY, HEADER, numbered, parse, segments, whole
from processes import Child

import ringlog


def test_killed_at_random(log: Path, spawn: Callable[..., Child]) -> None:
    """Thirty times; each time what had been acknowledged is there, and nothing twice."""
    dice = random.Random(1)
    next_one = 0
    for _ in range(30):
        child = spawn(
            """
            import itertools
            with ringlog.LogWriter(path, segment_bytes=30_000) as writer:
                say("open", writer.append(b""))
                for k in itertools.count():
                    acknowledged = writer.append(b"%d" % k)
                    if k % 50 == 0:
                        say(acknowledged)
            """,
            log,
        )
        assert child.line() == f"open {next_one}"
        time.sleep(dice.uniform(0, 0.03))
        child.signal(signal.SIGKILL)
        lines = child.finish(code=-signal.SIGKILL).split()
        events = read_whole(log)
        assert [event.sequence for event in events] == list(range(len(events)))
        assert len(events) > max(map(int, lines), default=next_one)
        numbers = [event.data for event in events[next_one:]]
        assert numbers == [b"", *(b"%d" % k for k in range(len(numbers) - 1))]
        next_one = len(events)


def read_whole(log: Path) -> list[ringlog.Event]:
    with ringlog.LogReader(log) as reader:
        return list(reader)


def left(log: Path, raw: bytes, *, offset: int, count: int) -> Path:
    """A log whose only segment is these bytes, as a killed writer leaves them: with space behind the end."""
    log.mkdir(exist_ok=True)
    path = log / f"{0:020}.events"
    path.write_bytes(HEADER.pack(offset, count, 5) + raw + bytes(100_000))
    return path


def entry(data: bytes, timestamp: int = 1000) -> bytes:
    import zlib

    return ENTRY.pack(timestamp, len(data), zlib.crc32(data)) + data


@pytest.mark.parametrize("done", range(0, 37, 4))
def test_every_part_of_an_append(log: Path, done: int) -> None:
    """The entry behind the end, so far; then the count; then the end."""
    first, second = entry(b"one" * 5), entry(b"two" * 7)
    path = left(log, first + second[:done], offset=24 + len(first), count=1)
    with ringlog.LogReader(log) as reader:
        assert [event.data for event in reader] == [b"one" * 5]
    with ringlog.LogWriter(log) as writer:
        assert ("not finished" in writer.recovered) == (done > 0)
        assert writer.append(b"three") == 1
    assert [event.data for event in parse(path).events] == [b"one" * 5, b"three"]


def test_a_count_that_is_ahead(log: Path) -> None:
    first, second = entry(b"one"), entry(b"two")
    path = left(log, first + second, offset=24 + len(first), count=2)
    with ringlog.LogWriter(log) as writer:
        assert writer.append(b"three") == 1
    assert [event.data for event in parse(path).events] == [b"one", b"three"]


def test_an_end_that_is_ahead(log: Path) -> None:
    """After a crash of the machine the word may be on disk, and the events before it not."""
    first, second = entry(b"one"), entry(b"two")
    path = left(log, first, offset=24 + len(first) + len(second), count=2)
    with ringlog.LogWriter(log) as writer:
        assert "sequence 1" in writer.recovered
        assert writer.append(b"three") == 1
    assert [event.data for event in parse(path).events] == [b"one", b"three"]


def test_damage_before_the_end_is_not_cut_off(log: Path) -> None:
    raw = bytearray(b"".join(entry(data) for data in numbered(100)))
    raw[50 * 36 + 20] ^= 1
    path = left(log, bytes(raw), offset=24 + len(raw), count=100)
    before = path.read_bytes()
    with pytest.raises(ringlog.CorruptStream, match="sequence 50"):
        ringlog.LogWriter(log)
    assert path.read_bytes() == before


def test_between_two_segments(log: Path) -> None:
    """Killed when a segment was finished and the next had no name yet, or had one and nothing in it."""
    with ringlog.LogWriter(log, segment_bytes=1000) as writer:
        for data in numbered(50):
            writer.append(data)
    last = segments(log)[-1]
    kept = shutil.copy(last, log / f".{last.name}.0123456789abcdef")
    last.unlink()
    with ringlog.LogWriter(log, segment_bytes=1000) as writer:
        assert writer.append(b"again") == int(last.stem)
    assert Path(kept).exists()
    with (log / f"{int(last.stem) + 1:020}.events").open("wb") as file:
        file.write(HEADER.pack(24, 0, parse(segments(log)[0]).start_timestamp))
    with ringlog.LogWriter(log) as writer:
        assert writer.append(b"behind") == int(last.stem) + 1
    assert [event.sequence for event in whole(log)] == list(range(int(last.stem) + 2))


def test_what_had_no_name_yet(log: Path) -> None:
    """What somebody was making when it was killed; the next writer removes it."""
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    left = [log / f".{1:020}.events.0123456789abcdef", log / f"{0:020}.index.0123456789abcdef"]
    others = [log / ".hidden", log / f".{1:020}.events", log / "notes", log / f"{0:020}.index.new"]
    fresh = log / f"{0:020}.index.fedcba9876543210"  # a reader may be about to rename it
    for path in [*left, *others, fresh]:
        path.write_bytes(b"y")
        os.utime(path, (1, 1))
    os.utime(fresh)
    with ringlog.LogWriter(log):
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in [*others, fresh])


@pytest.mark.parametrize("name", ["log.events", "log"])
def test_what_was_to_get_a_name_beside_a_single_file(log: Path, name: str) -> None:
    """What is another log's, or may still get its name, is left alone."""
    file = log.parent / "log.events"
    ringlog.LogWriter(file).close()
    file = file.rename(log.parent / name)
    random_part = "0123456789abcdef"
    beside = [log.parent / f"{start}.{random_part}" for start in (".log.events", "log.index")]
    others = [log.parent / f"{start}.{random_part}" for start in (".other.events", "blog.index", "log")]
    for path in beside + others:
        path.touch()
    ringlog.LogWriter(file).close()
    assert all(path.exists() for path in beside + others)
    for path in beside + others:
        os.utime(path, (1, 1))
    ringlog.LogWriter(file).close()
    assert not any(path.exists() for path in beside)
    assert all(path.exists() for path in others)
