"""Commit records, and what a restart finds, that can't be true."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hostile_support import CAPACITY, HIGHEST, position
from oracle import FIRST, RingFile

import ringlog

COMMITS_AT = 512
COMMIT = struct.Struct("<Qqqqqq16sI")
OTHER_BOOT = b"another boot id!"


def put_commit(
    file: RingFile, number: int, generation: int, head: tuple[int, int], tail: tuple[int, int]
) -> None:
    body = COMMIT.pack(generation, *head, *tail, 1, file.raw("stream_id"), 0)
    file.memory[COMMITS_AT + 512 * number : COMMITS_AT + 512 * number + 72] = body + struct.pack(
        "<I", zlib.crc32(body)
    )


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ((position(5), -1), (FIRST, 0)),
        ((HIGHEST, 5), (HIGHEST - 100, 4)),
        ((position(5), 5), (FIRST, 6)),
        ((position(5), HIGHEST), (FIRST, 0)),
        ((position(5) + CAPACITY, 5), (FIRST, 0)),
        ((position(5), 5), (-1, 0)),
    ],
)
def test_a_summed_commit_record_that_can_not_be_is_not_believed(
    ring: RingFile, ring_path: str, head: tuple[int, int], tail: tuple[int, int]
) -> None:
    """As after a crash of the machine: the ring begins anew, as it does without any record."""
    put_commit(ring, 0, 7, head, tail)
    ring["boot_id"] = OTHER_BOOT
    with ringlog.Writer(ring_path) as writer:
        assert writer.append(b"x") == 0
    assert ringlog.info(ring_path).tail_count == 0


@pytest.mark.parametrize("summed", [True, False])
def test_a_commit_record_after_the_last_generation_counts(tmp_path: Path, summed: bool) -> None:
    """Its generation may not become 0, which no record has: what was synced would be lost."""
    path = str(tmp_path / "ring")
    ringlog.create(path, CAPACITY)
    try:
        with RingFile(path) as file:
            for number in (0, 1):
                put_commit(file, number, (1 << 64) - 1 - number, (FIRST, 0), (FIRST, 0))
                if not summed:
                    file.memory[COMMITS_AT + 512 * number + 68] ^= 1
            try:
                writer = ringlog.Writer(path, sync="always")
            except ValueError:
                pytest.skip("no disk here, only memory")
            with writer:
                writer.append(b"kept")
                file["boot_id"] = OTHER_BOOT
        with ringlog.Writer(path) as writer, ringlog.Reader(path, start="oldest") as reader:
            assert [event.data for event in reader.read_many()] == [b"kept"]
    finally:
        ringlog.unlink(path)


@pytest.mark.parametrize("pair", ["head", "tail", "gate"])
@pytest.mark.parametrize("record", [0, 1])
@pytest.mark.parametrize("sequence", [5, -1])
def test_a_restart_forgets_what_stands_for_its_place(
    ring: RingFile, ring_path: str, pair: str, record: int, sequence: int
) -> None:
    """A record of the place where the stream begins again, with another sequence: it would count as well."""
    ring[f"{pair}[{record}].position"] = FIRST
    ring[f"{pair}[{record}].sequence"] = sequence
    ring["boot_id"] = OTHER_BOOT
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, name="r", start="oldest") as reader:
        assert reader.sequence == 0
        assert writer.append(b"x") == 0
        assert reader.read(0).sequence == 0
    seen = ringlog.info(ring_path)
    assert (seen.tail_count, seen.event_count) == (0, 1)
