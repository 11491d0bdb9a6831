"""`verify` of a ring while its writer goes on: what is overtaken is counted, and is no damage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Child

import ringlog
from ringlog import verify_log, verify_ring

CAPACITY = 1 << 16


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_ring, "PIECE", 5000)


@pytest.mark.usefixtures("in_small_pieces")
@pytest.mark.parametrize("size", [0, 7, 300, 3000])
@pytest.mark.parametrize("more", [1, 30, 100, 10_000])
def test_events_and_overtaken_are_all_that_there_were(ring_path: str, size: int, more: int) -> None:
    """Between two pieces the writer appends so much that it may have passed the walk."""
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(3 * CAPACITY // (size + 16)):
            writer.append(bytes([k % 256]) * size)
        info = ringlog.info(ring_path)
        there = info.event_count - info.tail_count
        number = 0

        def write_more(_events: int, _bytes: int) -> None:
            nonlocal number
            for _ in range(more):
                number += 1
                writer.append(bytes([number % 256]) * (size + number % 3))

        report = ringlog.verify(ring_path, progress=write_more)
    assert report.ok, report
    assert report.events + report.overtaken == there
    assert report.events > 0
    if (size + 16) * more > CAPACITY:
        assert report.overtaken > 0


def test_beside_a_writer_at_full_speed(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, CAPACITY)
    child = spawn(
        """
        with ringlog.Writer(path) as writer:
            say("ready")
            sizes = [k * 37 % 500 for k in range(64)]
            events = [bytes([k]) * size for k, size in enumerate(sizes)]
            while True:
                for event in events:
                    writer.append(event)
                writer.append_many(events)
        """,
        ring_path,
    )
    child.line()
    reports = [ringlog.verify(ring_path) for _ in range(500)]
    assert [report for report in reports if not report.ok] == []
    assert sum(report.events for report in reports) > 0
    child.kill()
    assert ringlog.verify(ring_path).ok


def test_beside_a_claim_and_a_session_that_write(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, CAPACITY)
    child = spawn(
        """
        with ringlog.Writer(path, lock="session") as writer, ringlog.Reader(path, lossless=True) as reader:
            say("ready")
            k = 0
            while True:
                k += 1
                with writer.claim(k % 3000) as view:
                    view[:] = bytes([k % 256]) * len(view)
                reader.read_many()
        """,
        ring_path,
    )
    child.line()
    for _ in range(300):
        report = ringlog.verify(ring_path)
        assert report.ok, report
        assert report.notes == ()


@pytest.mark.usefixtures("in_small_pieces")
@pytest.mark.parametrize("size", [0, 4096, 65536, 100_000])
def test_a_file_that_is_cut_meanwhile(ring_path: str, size: int) -> None:
    """Reported as such, and no signal."""
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        writer.append_many([bytes(500)] * 60)
    report = ringlog.verify(ring_path, progress=lambda _events, _bytes: os.truncate(ring_path, size))
    assert (report.ok, report.first_bad) == (False, 0)
    assert report.why is not None
    assert "cut" in report.why


# ---- logs ----


@pytest.mark.parametrize("keep", [2, 1000])
def test_a_log_that_is_written(
    ring_folder: Path, spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    """Its count and its end are two words; segments come and go. None of it is damage, or a gap."""
    log = ring_folder / "files" / "log"
    log.parent.mkdir()
    child = spawn(
        f"""
        with ringlog.LogWriter(path, segment_bytes=4000, keep_segments={keep}) as writer:
            writer.append(b"first")
            say("writes")
            while True:
                writer.append_many([b"an event", b"and another"])
        """,
        log,
    )
    child.line()
    removed = 0
    verify_file = verify_log.verify_file

    def noted(path: str, progress: verify_log.Progress) -> ringlog.Report:
        nonlocal removed
        try:
            return verify_file(path, progress)
        except FileNotFoundError:
            removed += 1
            raise

    monkeypatch.setattr(verify_log, "verify_file", noted)
    for _ in range(5) if keep > 2 else iter(lambda: removed > 20, True):
        report = ringlog.verify(log)
        assert report.ok, report.why
        assert not report.notes
