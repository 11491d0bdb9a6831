"""Retention: by size, by age, by number; the oldest first, and never the last."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from log_support import build, numbered, segments

import ringlog


def fill(log: Path, **options: int | float) -> None:
    with ringlog.LogWriter(log, segment_bytes=2000, **options) as writer:  # type: ignore[arg-type]
        for data in numbered(1000):
            writer.append(data)


def test_by_number(log: Path) -> None:
    fill(log, keep_segments=3)
    there = segments(log)
    assert len(there) == 3
    assert {path.stem for path in log.glob("*.index")} <= {path.stem for path in there}
    with ringlog.LogReader(log) as reader:
        assert [event.sequence for event in reader] == list(range(int(there[0].stem), 1000))


def test_by_size(log: Path) -> None:
    fill(log, keep_bytes=7000)
    sizes = [path.stat().st_size for path in segments(log)]
    assert sum(sizes[:-1]) <= 7000 < sum(sizes) + 2000


def test_by_age(log: Path) -> None:
    log.mkdir()
    now = time.time_ns()
    for k, age in enumerate((100, 80, 60, 5)):
        build(log / f"{10 * k:020}.events", numbered(10), start=now - age * 10**9, step=0)
    fill(log, keep_age=70)
    assert int(segments(log)[0].stem) == 10  # the events before ended 80 s ago, its own 60 s


def test_all_stays_without(log: Path) -> None:
    fill(log)
    assert int(segments(log)[0].stem) == 0


def test_the_last_always_stays(log: Path) -> None:
    fill(log, keep_bytes=0, keep_age=0)
    (path,) = segments(log)
    with ringlog.LogReader(log) as reader:
        assert reader.read(0).sequence == int(path.stem)


def exhaust(reader: ringlog.LogReader) -> None:
    for _ in range(20):
        reader.read(0)


def test_a_reader_of_what_goes(log: Path) -> None:
    """It reads the segment that it has to its end, and is then told what it missed."""
    with ringlog.LogWriter(log, segment_bytes=2000, keep_segments=2) as writer:
        writer.append_many(numbered(40))
        with ringlog.LogReader(log, follow=True) as reader:
            assert reader.read(0).sequence == 0
            for data in numbered(400, first=40):
                writer.append(data)
            assert [reader.read(0).sequence for _ in range(39)] == list(range(1, 40))
            with pytest.raises(ringlog.Overrun) as caught:
                exhaust(reader)
            oldest = int(segments(log)[0].stem)
            assert caught.value.last == oldest - 1
            assert reader.read(0).sequence == oldest


@pytest.mark.parametrize("what", ["segments", "bytes"])
def test_an_index_that_stays_does_no_harm(log: Path, what: str) -> None:
    fill(log, **{f"keep_{what}": 2 if what == "segments" else 4000})
    stray = log / f"{5:020}.index"
    stray.write_bytes(b"left")
    with ringlog.LogReader(log) as reader:
        assert len(list(reader)) > 0
