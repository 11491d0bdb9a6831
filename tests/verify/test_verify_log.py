"""`verify` of logs: files in the seed's format, and directories of segments."""

from __future__ import annotations

from pathlib import Path

import pytest
from verify_support import BEGAN, HEADER, damaged, entry, log_bytes, places, whole, write_log

import ringlog
from ringlog import verify_log

EVENTS = [b"one", b"", b"three" * 100, bytes(1000), b"five"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "log", EVENTS)


def test_a_whole_log(log: Path) -> None:
    report = whole(log, 5)
    assert (report.kind, report.bytes, report.path) == ("log", log.stat().st_size - 24, str(log))


def test_an_empty_log(tmp_path: Path) -> None:
    assert whole(write_log(tmp_path / "log", []), 0).bytes == 0


def test_what_lies_behind_the_head_is_no_part_of_it(log: Path) -> None:
    """The seed's files may be longer: space that was mapped in advance."""
    log.write_bytes(log.read_bytes() + b"anything" * 1000)
    whole(log, 5)


@pytest.mark.parametrize("piece", [16, 17, 100, 4096])
def test_entries_larger_than_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(verify_log, "PIECE", piece)
    events = [bytes([k]) * size for k, size in enumerate((5, 9000, 1, 4096 - 16, 4096, 3, 0, 0, 84, 17_000))]
    whole(write_log(tmp_path / "log", events), len(events))
    content = bytearray((tmp_path / "log").read_bytes())
    content[-1] ^= 1
    (tmp_path / "log").write_bytes(content)
    damaged(tmp_path / "log", places(events)[-2], "checksum")


def test_every_byte_of_size_checksum_and_data(tmp_path: Path) -> None:
    events = [b"%010d" % k for k in range(5)]
    whole_bytes = log_bytes(events)
    log = tmp_path / "log"
    for number, begin in enumerate(places(events)[:-1]):
        for offset in range(8, 26):
            content = bytearray(whole_bytes)
            content[begin + offset] ^= 0x40
            log.write_bytes(content)
            report = ringlog.verify(log)
            assert (report.first_bad, report.events) == (begin, number), (offset, report)


@pytest.mark.parametrize("short", range(1, 60))
def test_a_file_that_was_cut(log: Path, short: int) -> None:
    """At the first entry that is not whole any more."""
    log.write_bytes(log.read_bytes()[:-short])
    size = log.stat().st_size
    last = max(place for place in places(EVENTS) if place <= size)
    damaged(log, last, "the file ends within this entry")


def test_a_count_that_is_wrong(tmp_path: Path) -> None:
    damaged(write_log(tmp_path / "log", EVENTS, count=4), 0, "event_count is 4, there are 5 events")
    damaged(write_log(tmp_path / "log", EVENTS, count=6), 0, "event_count is 6, there are 5 events")


def test_a_publication_that_was_not_finished(tmp_path: Path) -> None:
    """A writer that was killed between the count and the end: nothing of it was published."""
    log = write_log(tmp_path / "log", EVENTS)
    more = entry(BEGAN + 9, b"six") + entry(BEGAN + 9, b"seven")
    content = bytearray(log.read_bytes() + more + bytes(1000))
    for count in (6, 7):
        content[8:16] = count.to_bytes(8, "little")
        log.write_bytes(content)
        whole(log, 5)
        assert ringlog.repair(log).steps == (f"write event_count 5 instead of {count}",)
    content[8:16] = (8).to_bytes(8, "little")
    log.write_bytes(content)
    damaged(log, 0, "event_count is 8, there are 5 events")


def test_a_publication_that_is_being_finished(tmp_path: Path) -> None:
    """The header was read between the writer's two stores, and his entries come in sight last of all."""
    log = write_log(tmp_path / "log", EVENTS, count=7)
    done = log_bytes([*EVENTS, b"six", b"seven"])

    def finish(_events: int, _bytes: int) -> None:
        log.write_bytes(done)

    report = ringlog.verify(log, progress=finish)
    assert (report.ok, report.events) == (True, 7)


def test_time_that_runs_backwards(tmp_path: Path) -> None:
    body = entry(10, b"a") + entry(9, b"b")
    (tmp_path / "log").write_bytes(HEADER.pack(24 + len(body), 2, 1) + body)
    damaged(tmp_path / "log", 24 + 17, "below the one before it")


@pytest.mark.parametrize("head", [0, 23, -1])
def test_a_segment_is_a_log_by_its_name(tmp_path: Path, head: int) -> None:
    name = tmp_path / f"{0:020d}.events"
    name.write_bytes(HEADER.pack(head, 0, 1) + bytes(100))
    damaged(name, 0, "write_offset")
    name.write_bytes(b"short")
    damaged(name, 0, "ends within its header")


# ---- directories ----


def segment(folder: Path, first: int, events: int, start: int = BEGAN) -> Path:
    return write_log(folder / f"{first:020d}.events", [b"%d" % k for k in range(events)], start=start)


def test_a_directory_of_segments(tmp_path: Path) -> None:
    segment(tmp_path, 0, 10)
    segment(tmp_path, 10, 5)
    (tmp_path / "notes.txt").write_text("not ours")
    report = whole(tmp_path, 15)
    assert report.kind == "log"
    assert report.notes == ()


def test_gaps_are_noted_and_no_damage(tmp_path: Path) -> None:
    segment(tmp_path, 3, 10)
    segment(tmp_path, 20, 5)
    segment(tmp_path, 25, 5)
    assert whole(tmp_path, 20).notes == ("1 gap between segments",)


def test_overlaps_are_damage(tmp_path: Path) -> None:
    segment(tmp_path, 0, 10)
    segment(tmp_path, 9, 5)
    damaged(tmp_path, 0, f"{9:020d}.events: the segment before goes to sequence 9")


def test_another_stream_may_begin_anywhere(tmp_path: Path) -> None:
    segment(tmp_path, 0, 10)
    segment(tmp_path, 5, 5, start=BEGAN + 1)
    whole(tmp_path, 15)


def test_the_first_bad_segment_is_named(tmp_path: Path) -> None:
    segment(tmp_path, 0, 10)
    bad = segment(tmp_path, 10, 5)
    segment(tmp_path, 15, 5)
    content = bytearray(bad.read_bytes())
    content[24 + 16] ^= 1
    bad.write_bytes(content)
    report = damaged(tmp_path, 24, f"{bad.name}: sequence 0: the data")
    assert report.events == 15
