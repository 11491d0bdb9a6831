"""`verify` of a ring that nobody writes: whole ones are whole, and what is no ring is said to be none."""

from __future__ import annotations

import dataclasses
import os
import zlib
from pathlib import Path

import pytest
from oracle import RingFile, decode
from processes import NOBODY, run
from test_recovery_planted import HEAD_STEPS, TAIL_STEPS, Step
from verify_support import damaged, digest, whole
from writer_support import HOUR, crash, plant_owner

import ringlog

CAPACITY = 1 << 16
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


# ---- whole ----


def test_an_empty_ring_is_whole(ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    assert whole(ring_path, 0) == ringlog.Report(ring_path, "ring", 0, 0, None, None)


def test_what_it_counts(ring: str) -> None:
    before = digest(ring)
    report = whole(ring, 40)
    assert (report.kind, report.path, report.bytes) == ("ring", ring, 40 * 46)
    assert report.overtaken == 0
    assert report.notes == ()
    assert digest(ring) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.events = 1  # type: ignore[misc]


def test_a_lapped_ring_is_whole(lapped: str) -> None:
    report = whole(lapped, len(decode(lapped)))
    info = ringlog.info(lapped)
    assert report.bytes == info.write_offset - info.tail_offset


@pytest.mark.parametrize("size", range(0, 3000, 171))
def test_every_size_round_the_wrap_is_whole(ring_path: str, size: int) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer:
        for k in range(2 * CAPACITY // (size + 16) + 3):
            writer.append(bytes([k % 256]) * size)
    whole(ring_path, len(decode(ring_path)))


def test_with_everything_attached(ring: str) -> None:
    with (
        ringlog.Writer(ring) as writer,
        ringlog.Writer(ring, lock="session", timeout=5) as session,
        ringlog.Reader(ring, lossless=True) as reader,
        ringlog.Reader(ring, name="n", start="oldest") as named,
    ):
        session.append(b"more")
        whole(ring, 41)
        reader.read_many()
        named.read_many(3)
        whole(ring, 41)
        session.close()
        with writer.claim(100) as view:
            view[:] = bytes(100)
            whole(ring, 41)
        whole(ring, 42)
        writer.end()
        whole(ring, 42)


def test_a_name_that_was_passed_is_no_damage(ring: str) -> None:
    ringlog.Reader(ring, name="n", start="oldest").close()
    with ringlog.Writer(ring) as writer:
        for _ in range(10):
            writer.append(bytes(20_000))
    report = whole(ring, len(decode(ring)))
    assert ringlog.info(ring).readers[0].sequence == 0
    assert report.notes == ()


@pytest.mark.parametrize("step", HEAD_STEPS + TAIL_STEPS, ids=lambda step: step.__name__)
def test_what_a_killed_writer_left_is_no_damage(ring: str, step: Step) -> None:
    with RingFile(ring) as file:
        step(file, ringlog.info(ring).start_timestamp + HOUR)
        plant_owner(file)
        before = file.memory[:]
        left = len(file.events())
        report = whole(ring, left)
        assert file.memory[:] == before
    assert len(report.notes) == 1
    assert "died while it held the write lock" in report.notes[0]


# ---- no rings at all ----


@pytest.mark.parametrize("content", [b"", b"x", b"some text\n" * 100, bytes(5000), b"\xff" * 200])
def test_what_is_neither(ring_folder: Path, content: bytes) -> None:
    (ring_folder / "file").write_bytes(content)
    with pytest.raises(ringlog.NotARing, match="not a ring or a log"):
        ringlog.verify(ring_folder / "file")


def test_other_things_at_the_path(ring_folder: Path) -> None:
    os.mkfifo(ring_folder / "fifo")
    for path in (ring_folder, ring_folder / "fifo", Path("/dev/zero")):
        with pytest.raises(ringlog.NotARing):
            ringlog.verify(path)
    with pytest.raises(FileNotFoundError):
        ringlog.verify(ring_folder / "nothing")


def test_another_version(ring: str) -> None:
    with RingFile(ring) as file:
        file["version"] = 2
    with pytest.raises(ringlog.VersionMismatch):
        ringlog.verify(ring)


@as_root
def test_read_permission_is_enough(ring: str) -> None:
    os.chmod(ring, 0o644)
    assert run("say(ringlog.verify(path).events)", ring, user=NOBODY) == "40\n"
    os.chmod(ring, 0o600)
    code = """
        try:
            ringlog.verify(path)
        except PermissionError:
            say("no")
        """
    assert run(code, ring, user=NOBODY) == "no\n"


# ---- after a crash of the machine ----


def test_of_another_boot_only_the_record_counts(disk_path: str) -> None:
    with ringlog.Writer(disk_path, capacity=CAPACITY, sync=3600) as writer:
        writer.append_many([b"kept"] * 10)
        writer.sync()
        known = writer._head()
        writer.append_many([b"lost"] * 5)
        crash(disk_path, behind=known)
        writer._interval = None  # this process is of the boot before: it closes nothing
    before = digest(disk_path)
    report = whole(disk_path, 10)
    assert "the machine has restarted" in report.notes[0]
    assert digest(disk_path) == before
    with RingFile(disk_path) as file:
        file.write(24 + 20 * 3 + 17, b"?")
    damaged(disk_path, 24 + 20 * 3, "sequence 3: the data does not have the checksum")


def test_of_another_boot_without_a_record_nothing_counts(ring: str) -> None:
    crash(ring)
    assert "the machine has restarted" in whole(ring, 0).notes[0]


def test_checksums_are_zlibs(ring: str) -> None:
    """The walk's own sum is not what it is compared with: entries that another program wrote are judged."""
    with RingFile(ring) as file:
        last = file["last_timestamp"]
        for size in (0, 1, 63, 64, 65, 1000, 20_000):
            data = bytes((size + k) % 251 for k in range(size))
            file.publish(data, timestamp=last, checksum=zlib.crc32(data))
    whole(ring, 47)
