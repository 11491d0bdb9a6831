"""Seeking in a log by sequence and by time: exactly there, with an index, without, and with a wrong one."""

from __future__ import annotations

import contextlib
import gc
import os
import warnings
from datetime import datetime, timezone
from pathlib import Path

import pytest
from log_support import HEADER, build, numbered, segments

import ringlog
from ringlog.log import index

COUNT = 3000


def moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)


@pytest.fixture
def stamped(log: Path) -> Path:
    """Events a millisecond apart, two of each time, in files of 1,000 and in strides of far less than one."""
    log.mkdir()
    for first in range(0, COUNT, 1000):
        build(
            log / f"{first:020}.events",
            [bytes(500)] * 1000,
            start=(1000 + first // 2) * 1_000_000,
            step=0,
        )
        raw = bytearray((log / f"{first:020}.events").read_bytes())
        for k in range(1000):
            at = HEADER.size + k * 516
            raw[at : at + 8] = ((1000 + (first + k) // 2) * 1_000_000).to_bytes(8, "little")
        (log / f"{first:020}.events").write_bytes(raw)
    return log


@pytest.fixture(params=["no index", "index", "damaged index", "another's index"])
def indexed(request: pytest.FixtureRequest, stamped: Path) -> Path:
    if request.param == "no index":
        return stamped
    with ringlog.LogReader(stamped) as reader:
        for goal in range(0, COUNT, 500):
            reader.seek(goal)
    made = sorted(stamped.glob("*.index"))
    assert len(made) == 3
    if request.param == "damaged index":
        for path in made:
            raw = bytearray(path.read_bytes())
            raw[-10] ^= 1
            path.write_bytes(raw)
    elif request.param == "another's index":
        made[0].write_bytes(made[1].read_bytes())
        made[1].write_bytes(b"")
    return stamped


def test_by_sequence(indexed: Path) -> None:
    with ringlog.LogReader(indexed) as reader:
        for goal in [0, 1, 999, 1000, 1001, 1500, 2999, 2000, 517, 3]:
            reader.seek(goal)
            assert reader.sequence == goal
            assert reader.read(0).sequence == goal
        reader.seek(COUNT)
        with pytest.raises(ringlog.StreamEnded):
            reader.read(0)
        with pytest.raises(ValueError, match="beyond the next event, 3000"):
            reader.seek(COUNT + 1)


def test_one_that_can_not_begin_there_leaves_nothing_open(indexed: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="beyond the next event, 3000"):
            ringlog.LogReader(indexed, start=COUNT + 1)
        gc.collect()


def test_by_time(indexed: Path) -> None:
    for ms, sequence in [(1, 0), (1000, 0), (1001, 2), (1499, 998), (1500, 1000), (1501, 1002), (2499, 2998)]:
        with ringlog.LogReader(indexed, start=moment(ms * 1_000_000)) as reader:
            assert reader.read(0).sequence == sequence
        with ringlog.LogReader(indexed, start=moment(ms * 1_000_000 - 1000)) as reader:
            assert reader.read(0).sequence == sequence
    with (
        ringlog.LogReader(indexed, start=moment(2500 * 1_000_000)) as reader,
        pytest.raises(ringlog.StreamEnded),
    ):
        reader.read(0)


def test_by_time_over_empty_segments(log: Path) -> None:
    """As a gap leaves one behind that was lost before anything was in it."""
    log.mkdir()
    build(log / f"{0:020}.events", numbered(10), start=1_000_000, step=1000)
    build(log / f"{10:020}.events", [])
    build(log / f"{15:020}.events", [])
    build(log / f"{20:020}.events", numbered(10), start=3_000_000, step=1000)
    build(log / f"{30:020}.events", [])
    for nanoseconds, sequence in [(1_000_000, 0), (1_005_000, 5), (3_003_000, 23), (2_000_000, 20)]:
        with ringlog.LogReader(log, start=moment(nanoseconds)) as reader:
            found = None
            while found is None:
                with contextlib.suppress(ringlog.Overrun):
                    found = reader.read(0)
            assert found.sequence == sequence


def test_latest_and_oldest(indexed: Path) -> None:
    with ringlog.LogReader(indexed, start="latest") as reader:
        assert reader.sequence == COUNT
        reader.seek("oldest")
        assert reader.read(0).sequence == 0


def test_it_is_made_again_beside_the_segment(stamped: Path) -> None:
    with ringlog.LogReader(stamped) as reader:
        reader.seek(2500)
        (made,) = stamped.glob("*.index")
        assert made.name == f"{2000:020}.index"
    known = made.read_bytes()
    made.unlink()
    with ringlog.LogReader(stamped, start=2999) as reader:
        assert reader.read(0).sequence == 2999
    assert made.read_bytes() == known


def test_where_nothing_can_be_written(stamped: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    stamped.chmod(0o500)
    with ringlog.LogReader(stamped, start=1700) as reader:
        assert reader.read(0).sequence == 1700
    stamped.chmod(0o700)


def test_the_writer_leaves_an_index(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=2 << 20) as writer:
        for _ in range(50):
            writer.append_many([bytes(1000)] * 100)
    for path in segments(log):
        segment = ringlog.log.segments.SegmentFile(str(path), int(path.stem))
        header = HEADER.unpack_from(path.read_bytes())
        found = index.load(segment, header[2])
        assert abs(len(found) - header[0] // index.STRIDE) <= 1
        position, sequence, _ = found.last
        assert (position - 24) == (sequence - segment.first) * 1016


def test_a_seek_reads_little(log: Path) -> None:
    """By the index: what is mapped in by a seek is far less than the file."""
    with ringlog.LogWriter(log) as writer:
        block = numbered(1000, 1000)
        for _ in range(60):
            writer.append_many(block)
    with ringlog.LogReader(log) as reader:
        before = resident(reader)
        for goal in (100, 30_000, 59_000):
            reader.seek(goal)
            assert reader.read(0).sequence == goal
        assert resident(reader) - before < 8 << 10


def resident(reader: ringlog.LogReader) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssShmem:", "RssFile:")))


def test_seeks_in_a_growing_log(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=300_000) as writer, ringlog.LogReader(log) as reader:
        for k in range(100):
            writer.append_many(numbered(50, 200, first=50 * k))
            reader.seek(50 * k + 7)
            assert reader.read(0).data == numbered(1, 200, first=50 * k + 7)[0]
            reader.seek(25 * k)
            assert reader.read(0).data == numbered(1, 200, first=25 * k)[0]


def test_in_a_gap(log: Path) -> None:
    log.mkdir()
    build(log / f"{0:020}.events", numbered(10))
    build(log / f"{50:020}.events", numbered(10, first=50))
    with ringlog.LogReader(log, start=20) as reader:
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read(0)
        assert (caught.value.first, caught.value.last) == (20, 49)
        assert reader.read(0).sequence == 50


def test_somebody_elses_file_has_the_name_of_the_index(tmp_path: Path) -> None:
    """Beside one file alone, which may be called anything: it is left as it is."""
    path, other = tmp_path / "mine", tmp_path / "mine.index"
    other.write_text("my own list of chapters\n")
    build(path, numbered(5000, 100))
    with ringlog.LogReader(path, start=4000) as reader:
        assert reader.read(0).sequence == 4000
    with ringlog.LogWriter(path) as writer:
        assert writer.append(b"x") == 5000
    assert other.read_text() == "my own list of chapters\n"
