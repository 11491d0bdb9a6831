"""What a writer finds after a restart of the machine: pages that are not there, and what looks like them.

Every image that a disk may hold is tried in tests/power_loss; here it is about what becomes of the rest.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from log_support import numbered, parse, read_all, segments

import ringlog
import ringlog.lock
from ringlog.log.reader import NotInLog

DATAS = numbered(300, size=100)


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every log was written before the machine was started."""
    boot = secrets.token_bytes(16)
    monkeypatch.setattr(ringlog.lock, "boot_id", lambda: boot)


def written(log: Path, segment_bytes: int = 1 << 20) -> list[Path]:
    before = ringlog.lock.boot_id
    ringlog.lock.boot_id = lambda: b"the boot before."
    try:
        with ringlog.LogWriter(log, segment_bytes=segment_bytes) as writer:
            for data in DATAS:
                writer.append(data)
    finally:
        ringlog.lock.boot_id = before
    return segments(log)


def zero(path: Path, start: int, size: int) -> bytes:
    """Take a piece away; what stood there and behind."""
    with open(path, "r+b") as file:
        file.seek(start)
        rest = file.read()
        file.seek(start)
        file.write(bytes(size))
    return rest


def test_events_behind_a_missing_page_are_kept_aside(log: Path, restarted: None) -> None:
    (path,) = written(log)
    rest = zero(path, 8192, 4096)
    with ringlog.LogWriter(log) as writer:
        count = writer.sequence
        (aside,) = log.glob("*.lost-*")
        assert aside.name in writer.recovered
        assert writer.append(b"next") == count == (8192 - 24) // 116
    assert read_all(log) == [*DATAS[:count], b"next"]
    assert aside.read_bytes().endswith(rest[4096:])
    assert ringlog.verify(log).ok


def test_an_earlier_segment_ends_before_its_missing_page(log: Path, restarted: None) -> None:
    first, second, *_ = written(log, segment_bytes=15_000)
    rest = zero(first, 8192, 512)
    with ringlog.LogWriter(log) as writer:
        assert str(first) in writer.recovered
        assert writer.append(b"next") == len(DATAS)
    count = len(parse(first).events)
    assert count == (8192 - 24) // 116
    assert first.read_bytes().endswith(rest[512:])
    with ringlog.LogReader(log) as reader:
        assert [next(reader).data for _ in range(count)] == DATAS[:count]
        with pytest.raises(NotInLog) as gap:
            reader.poll()
        assert (gap.value.first, gap.value.last) == (count, int(second.stem) - 1)
        assert [event.data for event in reader] == [*DATAS[int(second.stem) :], b"next"]
    with ringlog.LogWriter(log) as writer:
        assert writer.recovered == ""


def test_damage_of_another_kind_is_left_alone(log: Path, restarted: None) -> None:
    (path,) = written(log)
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(b"\xff")
    before = path.read_bytes()
    with pytest.raises(ringlog.CorruptStream):
        ringlog.LogWriter(log)
    assert path.read_bytes() == before


def test_nor_is_a_missing_page_cut_off_without_a_restart(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        for data in DATAS:
            writer.append(data)
    (path,) = segments(log)
    zero(path, 24 + 290 * 116, 50)  # behind what its index has
    with pytest.raises(ringlog.CorruptStream):
        ringlog.LogWriter(log)
    assert not list(log.glob("*.lost-*"))
