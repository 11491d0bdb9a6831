"""A log that changes under its readers: made again, removed, shortened, grown past what is mapped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from log_support import ENTRY, HEADER, build, numbered, segments

import ringlog
from ringlog.log import attached
from ringlog.log import index as indexes


def test_a_seek_that_fails_leaves_the_reader_where_it_was(log: Path) -> None:
    with ringlog.LogWriter(log, segment_bytes=4096) as writer:
        for data in numbered(200, 100):
            writer.append(data)
    with ringlog.LogReader(log) as reader:
        assert [reader.read(0).sequence for _ in range(3)] == [0, 1, 2]
        for beyond in (201, 10**6, 1 << 61, 1 << 63, 10**30):
            with pytest.raises(ValueError, match="beyond"):
                reader.seek(beyond)
        assert reader.read(0).sequence == 3
        assert reader.lost == 0
    build(log / f"{300:020}.events", numbered(5, first=300), stream=_stream(log))
    with ringlog.LogReader(log, start=250) as reader:  # in the gap
        with pytest.raises(ValueError, match="beyond"):
            reader.seek(10**6)
        with pytest.raises(ringlog.Overrun) as lost:
            reader.poll()
        assert (lost.value.first, lost.value.last) == (250, 299)


def _stream(log: Path) -> int:
    return int(HEADER.unpack(segments(log)[0].read_bytes()[:24])[2])


def test_made_again(log: Path) -> None:
    """What is known of the old one does not count for the new one."""
    for size in (16, 48):
        if log.exists():
            shutil.rmtree(log)
        with ringlog.LogWriter(log) as writer:
            writer.append_many([k.to_bytes(size, "little") for k in range(30_000)])
        if size == 16:
            reader = ringlog.LogReader(log, start=25_000)
            assert reader.read(0).sequence == 25_000
    reader.seek(9000)
    event = reader.read(0)
    assert (event.sequence, int.from_bytes(event.data, "little")) == (9000, 9000)
    reader.close()


def test_removed_while_it_is_followed(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    reader = ringlog.LogReader(log, follow=True)
    assert reader.read(0).data == b"x"
    assert reader.poll() is None
    shutil.rmtree(log)
    with pytest.raises(ringlog.RingRemoved):
        reader.read(20)
    with ringlog.LogWriter(log) as writer:
        writer.append(b"y")
    with pytest.raises(ringlog.RinglogError):
        reader.read(20)
    reader.close()


def test_a_segment_of_another_stream(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    build(log / f"{1:020}.events", [b"y"], stream=77)
    with ringlog.LogReader(log) as reader:
        assert reader.read(0).data == b"x"
        with pytest.raises(ringlog.CorruptStream, match="another stream"):
            reader.read(0)


def test_grown_past_what_is_mapped_then_removed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By retention, while a slow reader is in it: it reads the segment to its end, and goes on."""
    monkeypatch.setattr(attached, "ROOM", 10_000)
    datas = numbered(2000, 100)
    with ringlog.LogWriter(log, segment_bytes=100_000, keep_segments=1) as writer:
        writer.append_many(datas[:5])
        with ringlog.LogReader(log, follow=True) as reader:
            got = [reader.read(0).data]
            for first in range(5, 2000, 5):
                writer.append_many(datas[first : first + 5])
            assert not (log / f"{0:020}.events").exists()
            while len(got) < 800:  # to the end of the segment that it has
                got.append(reader.read(0).data)
            assert got == datas[:800]
            missing = None
            while missing is None:
                try:
                    got.append(reader.read(0).data)
                except ringlog.Overrun as lost:
                    missing = lost
            assert missing.first == len(got)
            assert [reader.read(0).data for _ in range(50)] == datas[missing.last + 1 :][:50]


def test_retention_beside_a_reader_that_opens_it(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest segment goes between the listing and the opening."""
    with ringlog.LogWriter(log, segment_bytes=2000) as writer:
        for data in numbered(200, 100):
            writer.append(data)
    real = os.open

    def late(path: str | os.PathLike[str], flags: int, *more: int, **named: int) -> int:
        if str(path).endswith(".events") and int(Path(path).stem) < 50:
            Path(path).unlink(missing_ok=True)
        return real(path, flags, *more, **named)

    monkeypatch.setattr(attached.os, "open", late)
    with ringlog.LogReader(log) as reader:
        assert reader.read(0).sequence >= 50
        reader.seek("oldest")
        assert reader.read(0).sequence >= 50


@pytest.mark.parametrize("timestamp", [(1 << 63) - 1, 1])
def test_hostile_times_end(log: Path, timestamp: int) -> None:
    log.mkdir()
    path = log / f"{0:020}.events"
    entries = b"".join(ENTRY.pack(timestamp, 100, 0) + bytes(100) for _ in range(5000))
    path.write_bytes(HEADER.pack(24 + len(entries), 5000, 1) + entries)
    with ringlog.LogReader(log, start="latest") as reader:
        assert reader.sequence == 5000
        reader.seek(2500)
        assert reader.sequence == 2500


def test_hostile_indexes_end(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append_many(numbered(5000, 100))
    (path,) = segments(log)
    for sequence in ((1 << 63) - 1, 1 << 61, -1):
        known = indexes.Index(_stream(log), 0)
        known._positions.append(20_000)
        known._sequences.append(sequence)
        known._timestamps.append(1)
        known.save(str(path.with_suffix(".index")), 0o600)
        with ringlog.LogReader(log, start="latest") as reader:
            assert reader.sequence == 5000


def test_names_that_are_no_sequences(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    (log / f"{99999999999999999999}.events").write_bytes(b"")
    os.mkfifo(log / f"{5:020}.events")
    with ringlog.LogReader(log) as reader:
        assert reader.read(0).data == b"x"
        with pytest.raises(ringlog.RinglogError):
            reader.read(0)
        with pytest.raises(ringlog.RinglogError):
            reader.seek(7)
