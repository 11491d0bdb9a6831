"""A run is appended as it is, all that one publication takes; or it is refused and nothing is published."""

from __future__ import annotations

import array
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from oracle import ENTRY, RingFile, decode
from processes import eventually
from runs_support import append_whole, packed, run_of, taken

import ringlog

SIZES = [0, 1, 15, 16, 17, 1000, 0, 4096, 30000]


def published(path: str) -> tuple[bytes, ...]:
    """Everything that a publication changes."""
    with RingFile(path) as file:
        return tuple(file.raw(name) for name in ("write_offset", "event_count", "last_timestamp", "marks"))


def test_it_is_the_origins_bytes(writer: ringlog.Writer, ring_path: str) -> None:
    run = run_of(*((10 + k // 3, bytes([k]) * k) for k in range(30)))
    assert writer._append_run(run, 0, 0) == len(run)
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert taken(reader) == run
    assert ringlog.verify(ring_path).first_bad is None
    with RingFile(ring_path) as file:
        assert (file["last_timestamp"], file["event_count"]) == (19, 30)


def test_laps_of_every_size(ring_path: str, ring_folder: Path) -> None:
    """What one ring's reader takes, another's writer appends; around the end of both, at other places."""
    copy = str(ring_folder / "copy")
    with (
        ringlog.Writer(ring_path, capacity=65536) as origin,
        ringlog.Writer(copy, capacity=65536) as target,
        ringlog.Reader(ring_path) as reader,
    ):
        for lap in range(40):
            sequence = reader.sequence
            for k in range(3):
                size = SIZES[(lap * 5 + k) % len(SIZES)]
                origin.append(bytes([lap]) * size)
            append_whole(target, taken(reader), sequence)
            ours, theirs = decode(copy), decode(ring_path)
            shared = min(len(ours), len(theirs))
            assert ours[-shared:] == theirs[-shared:]
            assert ringlog.verify(copy).first_bad is None


def test_marks_are_where_append_sets_them(ring_path: str, ring_folder: Path) -> None:
    copy = str(ring_folder / "copy")
    with (
        ringlog.Writer(ring_path, capacity=65536) as origin,
        ringlog.Writer(copy, capacity=65536) as target,
        ringlog.Reader(ring_path, start="oldest") as reader,
    ):
        for k in range(300):
            origin.append(b"x" * (k * 37 % 3000 if k % 10 == 0 else k % 50))
        assert reader.sequence == 0
        try:
            append_whole(target, taken(reader), 0)
        except ringlog.Overrun:
            pytest.fail("the origin has lapped")
        with RingFile(ring_path) as one, RingFile(copy) as other:
            assert one.raw("marks") == other.raw("marks")
            assert one.places() == other.places()


# ---- refused ----

GOOD = [(5, b"first"), (6, b""), (6, b"third"), (7, b"x" * 100)]
FIELDS = {"timestamp": 0, "size": 8, "checksum": 12, "data": 16}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("number", [0, 2, 3])
@pytest.mark.parametrize("change", [1, 0x80])
def test_damage_in_any_field(
    writer: ringlog.Writer, ring_path: str, field: str, number: int, change: int
) -> None:
    """In the highest byte of a number too: negative timestamps, sizes over everything."""
    run = bytearray(run_of(*GOOD))
    at = len(run_of(*GOOD[:number])) + FIELDS[field]
    at += {"timestamp": 7, "size": 3, "checksum": 3, "data": 0}[field] if change == 0x80 else 0
    run[at] ^= change
    writer.append(b"before", timestamp=5)
    before = published(ring_path)
    if field == "timestamp" and change == 1:
        run[at] = 4  # below the ring's, or below the one before it
    with pytest.raises(ringlog.CorruptStream, match="damaged at byte"):
        writer._append_run(bytes(run), 0, 1)
    assert published(ring_path) == before
    writer.append(b"behind", timestamp=5)
    assert [event.data for event in decode(ring_path)] == [b"before", b"behind"]


def test_a_size_that_is_too_small_or_a_rest(writer: ringlog.Writer, ring_path: str) -> None:
    run = run_of(*GOOD)
    before = published(ring_path)
    for cut in range(1, len(run)):
        if cut in (len(run_of(*GOOD[:k])) for k in range(len(GOOD))):
            continue
        with pytest.raises(ringlog.CorruptStream):
            writer._append_run(run[:cut], 0, 0)
        with pytest.raises(ringlog.CorruptStream):
            writer._append_run(run[:cut], 0, 0, False)
    with pytest.raises(ringlog.CorruptStream):
        writer._append_run(run + b"\0", 0, 0)
    assert published(ring_path) == before


@pytest.mark.parametrize("timestamp", [0, -1, -(1 << 63)])
def test_a_timestamp_is_over_zero(writer: ringlog.Writer, ring_path: str, timestamp: int) -> None:
    bad = ENTRY.pack(timestamp, 1, zlib.crc32(b"x")) + b"x"
    for verify in (True, False):
        with pytest.raises(ringlog.CorruptStream):
            writer._append_run(bad, 0, 0, verify)


def test_damage_behind_the_first_part_refuses_it_too(writer: ringlog.Writer, ring_path: str) -> None:
    run = bytearray(run_of(*((k + 1, b"x" * 1000) for k in range(100))))
    run[-1] ^= 1
    with pytest.raises(ringlog.CorruptStream):
        writer._append_run(bytes(run), 0, 0)
    assert decode(ring_path) == []
    run[-1] ^= 1
    assert append_whole(writer, bytes(run), 0) == [32 * 1016, 32 * 1016, 32 * 1016, 4 * 1016]


def test_only_the_rings_next_sequence(writer: ringlog.Writer, ring_path: str) -> None:
    run = run_of(*GOOD)
    writer._append_run(run, 0, 0)
    before = published(ring_path)
    for sequence in (0, 3, 5, -1, 1 << 62):
        with pytest.raises(ValueError, match="goes on at sequence 4"):
            writer._append_run(run, 0, sequence)
    assert published(ring_path) == before


def test_an_offset_is_within_the_bytes(writer: ringlog.Writer, ring_path: str) -> None:
    run = run_of(*GOOD)
    for offset in (-1, len(run), len(run) + 1, 1 << 40):
        with pytest.raises(ValueError, match="offset"):
            writer._append_run(run, offset, 0)
    with pytest.raises(ValueError, match="offset"):
        writer._append_run(b"", 0, 0)
    with pytest.raises(TypeError):
        writer._append_run("text", 0, 0)  # type: ignore[arg-type]
    assert writer._append_run(run, len(run_of(*GOOD[:2])), 0) > 0
    assert [event.data for event in decode(ring_path)] == [b"third", b"x" * 100]


@pytest.mark.parametrize("verify", [True, False])
def test_an_event_over_half_the_ring(writer: ringlog.Writer, ring_path: str, verify: bool) -> None:
    fits, large = b"x" * (32768 - 16), b"x" * (32768 - 15)
    run = run_of((1, b"small"), (2, large))
    with pytest.raises(ringlog.EventTooLarge, match="32753"):
        writer._append_run(run, 0, 0, verify)
    with pytest.raises(ringlog.EventTooLarge):
        writer._append_run(packed(large), 0, 0, verify)
    assert decode(ring_path) == []
    assert append_whole(writer, run_of((1, b"small"), (2, fits), (3, b"")), 0) == [21, 32768, 16]


# ---- the lock, and room ----


def test_without_room_nothing_is_published(writer: ringlog.Writer, ring_path: str) -> None:
    run = run_of(*((k + 1, b"x" * 1000) for k in range(30)))
    with ringlog.Reader(ring_path, lossless=True) as reader:
        writer._append_run(run, 0, 0)
        writer._append_run(run_of(*((40, b"x" * 1000) for k in range(30))), 0, 30)
        before = published(ring_path)
        more = run_of(*((50, b"y" * 1000) for k in range(30)))
        with pytest.raises(ringlog.RingFull):
            writer._append_run(more, 0, 60)
        assert published(ring_path) == before
        reader.read_many(31)
        assert writer._append_run(more, 0, 60) == len(more)


def test_it_waits_for_room(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536, timeout=20) as writer,
        ringlog.Reader(ring_path, lossless=True) as reader,
    ):
        run = run_of(*((k + 1, b"x" * 1000) for k in range(100)))
        thread = threading.Thread(target=append_whole, args=(writer, run, 0))
        thread.start()
        eventually(lambda: ringlog.info(ring_path).event_count == 64)
        seen: list[bytes] = []
        while len(seen) < 100:
            seen += [event.data for event in reader.read_many(timeout=20)]
        thread.join()
        assert seen == [b"x" * 1000] * 100


def test_in_a_session_and_against_one(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536, lock="session") as session,
        ringlog.Writer(ring_path, timeout=0) as other,
    ):
        assert session._append_run(run_of(*GOOD), 0, 0) > 0
        with pytest.raises(ringlog.WriterBusy):
            other._append_run(run_of(*GOOD), 0, 4)
        with session.claim(4), pytest.raises(ringlog.WriterBusy):
            session._append_run(run_of(*GOOD), 0, 4)
    with pytest.raises(ringlog.ClosedError):
        session._append_run(run_of(*GOOD), 0, 4)


def test_after_the_end_and_without_a_ring(ring_path: str) -> None:
    writer = ringlog.Writer(ring_path)
    writer.end()
    with pytest.raises(ringlog.StreamEnded):
        writer._append_run(run_of(*GOOD), 0, 0)
    with writer, ringlog.Writer(ring_path) as later:
        assert later._append_run(run_of(*GOOD), 0, 0) > 0
        ringlog.unlink(ring_path)
        with pytest.raises(ringlog.RingRemoved):
            later._append_run(run_of(*GOOD), 0, 4)


def test_a_reader_that_sleeps_is_woken(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path, wait="sleep") as reader:
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(reader.read(timeout=20).data))
        thread.start()
        with RingFile(ring_path) as file:
            eventually(lambda: file["sleepers"])
        writer._append_run(packed(b"news"), 0, 0)
        thread.join()
        assert found == [b"news"]


@pytest.mark.parametrize("kind", [bytearray, memoryview, array.array])
def test_only_bytes_which_nobody_changes(writer: ringlog.Writer, ring_path: str, kind: Any) -> None:
    """It may have to wait for room between judging them and copying them."""
    run = run_of((1, b"x" * 100))
    with pytest.raises(TypeError, match="bytes"):
        writer._append_run(kind("B", run) if kind is array.array else kind(run), 0, 0)
    assert decode(ring_path) == []
    assert writer._append_run(run, 0, 0) == len(run)
