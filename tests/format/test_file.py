"""The file: how it appears, what it takes up, who may open it, and files that are no good."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import FIELDS, RingFile
from processes import NOBODY, Child, run, run_forked

import ringlog

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
ATTACHERS: list[Callable[[str], object]] = [
    ringlog.Reader,
    ringlog.Writer,
    ringlog.info,
    lambda path: ringlog.forget(path, "name"),
]


def fails_everywhere(path: str, error: type[Exception], message: str) -> None:
    """Opening, describing and forgetting all say the same."""
    for attach in ATTACHERS:
        with pytest.raises(error, match=message) as caught:
            attach(path)
        assert type(caught.value) is error
        assert path in str(caught.value)


def scribble(path: str, name: str, value: int | bytes) -> None:
    offset, code = FIELDS[name]
    with open(path, "r+b") as stream:
        stream.seek(offset)
        stream.write(struct.pack("<" + code, value))


# ---- how it appears ----


@pytest.mark.parametrize(("capacity", "readers"), [(65536, 64), (1 << 20, 1), (64 << 20, 64)])
def test_space_is_truly_allocated(ring_path: str, capacity: int, readers: int) -> None:
    ring = ringlog.create(ring_path, capacity, max_readers=readers)
    found = os.stat(ring_path)
    assert found.st_size == ring.data_start + capacity
    assert found.st_blocks * 512 >= found.st_size


def test_a_new_ring_is_private(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    assert os.stat(ring_path).st_mode & 0o7777 == 0o600


def test_a_ring_made_by_a_writer_is_private(ring_path: str) -> None:
    ringlog.Writer(ring_path, capacity=65536).close()
    assert os.stat(ring_path).st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400])
def test_the_mode_is_exactly_what_was_asked_for(ring_path: str, mode: int) -> None:
    """Whatever the umask says; the semaphore, which has to be written by readers of none, follows."""

    def create() -> int:
        os.umask(0o077)
        ringlog.create(ring_path, 65536, mode=mode)
        return os.stat(ring_path).st_mode & 0o7777

    assert run_forked(create) == mode
    with RingFile(ring_path, writable=False) as file:
        semaphore = f"/dev/shm/sem.ringlog-{file.raw('file_id').hex()}"
    assert os.stat(semaphore).st_mode & 0o777 == mode & 0o666


def test_nothing_but_the_ring_appears(ring_folder: Path) -> None:
    ringlog.create(ring_folder / "ring", 65536)
    assert os.listdir(ring_folder) == ["ring"]


def test_a_ring_that_cannot_be_made_leaves_nothing(ring_folder: Path) -> None:
    before = set(os.listdir("/dev/shm"))
    (ring_folder / "ring").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        ringlog.create(ring_folder / "ring", 65536)
    with pytest.raises(FileNotFoundError):
        ringlog.create(ring_folder / "none" / "ring", 65536)
    assert os.listdir(ring_folder) == ["ring"]
    assert (ring_folder / "ring").read_bytes() == b"mine"
    ours = {name for name in set(os.listdir("/dev/shm")) - before if name == ring_folder.name}
    assert not ours


def test_nobody_ever_sees_half_a_ring(ring_path: str, spawn: Callable[..., Child]) -> None:
    """One process makes and removes a ring again and again; another only ever sees a whole one."""
    maker = spawn(
        """
        say("ready")
        for _ in range(150):
            ringlog.create(path, 65536)
            ringlog.unlink(path)
        """,
        ring_path,
    )
    maker.line()
    seen = absent = 0
    while maker.process.poll() is None:
        try:
            assert ringlog.info(ring_path).capacity == 65536
            seen += 1
        except FileNotFoundError:
            absent += 1
    maker.finish()
    assert absent


def test_of_many_who_create_one_wins(ring_path: str, spawn: Callable[..., Child]) -> None:
    code = """
        sys.stdin.readline()
        try:
            ringlog.create(path, 65536)
            say("made")
        except FileExistsError:
            say("exists")
        """
    children = [spawn(code, ring_path) for _ in range(3)]
    for child in children:
        child.tell()
    assert sorted(child.finish().strip() for child in children) == ["exists", "exists", "made"]


def test_a_damaged_ring_can_be_removed(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    scribble(ring_path, "stride", 77)
    ringlog.unlink(ring_path)
    assert not os.path.exists(ring_path)


# ---- files that are no good ----


def test_a_directory_is_no_ring(ring_folder: Path) -> None:
    fails_everywhere(str(ring_folder), ringlog.NotARing, "directory")


def test_an_empty_file_is_no_ring(ring_path: str) -> None:
    Path(ring_path).touch()
    fails_everywhere(ring_path, ringlog.NotARing, "empty")


@pytest.mark.parametrize("size", [1, 100, 5000, 200_000])
def test_a_text_file_is_no_ring(ring_path: str, size: int) -> None:
    text = (b"All work and no play\n" * 10_000)[:size]
    Path(ring_path).write_bytes(text)
    fails_everywhere(ring_path, ringlog.NotARing, "not a ring")
    with pytest.raises(ringlog.NotARing):
        ringlog.unlink(ring_path)
    assert Path(ring_path).read_bytes() == text


def test_a_fifo_is_no_ring_and_nobody_waits_for_it(ring_path: str) -> None:
    os.mkfifo(ring_path)
    fails_everywhere(ring_path, ringlog.NotARing, "not a regular file")


def test_a_file_of_another_byte_order_is_no_ring(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    scribble(ring_path, "byte_order", 0x04030201)
    fails_everywhere(ring_path, ringlog.NotARing, "not a ring")


@pytest.mark.parametrize("version", [0, 2, 4_000_000_000])
def test_an_unknown_version_is_refused(ring_path: str, version: int) -> None:
    ringlog.create(ring_path, 65536)
    scribble(ring_path, "version", version)
    fails_everywhere(ring_path, ringlog.VersionMismatch, rf"\b{version}\b.*version 1")
    with pytest.raises(ringlog.VersionMismatch):
        ringlog.unlink(ring_path)
    assert os.path.exists(ring_path)


@pytest.mark.parametrize("bit", [0, 1, 63])
def test_an_unknown_feature_is_refused(ring_path: str, bit: int) -> None:
    ringlog.create(ring_path, 65536)
    scribble(ring_path, "features", 1 << bit)
    fails_everywhere(ring_path, ringlog.VersionMismatch, "feature")


@pytest.mark.parametrize("size", [200, 4096, 16384, 65536, 131071])
def test_a_truncated_file_is_told(ring_path: str, size: int) -> None:
    ringlog.create(ring_path, 65536)
    os.truncate(ring_path, size)
    fails_everywhere(ring_path, ringlog.StreamTruncated, "shorter")
    ringlog.unlink(ring_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity", 0),
        ("capacity", 32768),
        ("capacity", 65537),
        ("capacity", -65536),
        ("capacity", 131072),
        ("capacity", 1 << 62),
        ("stride", 0),
        ("stride", 512),
        ("mark_count", 64),
        ("data_start", 0),
        ("data_start", 16384),
        ("data_start", 1 << 40),
        ("data_start", -65536),
        ("max_readers", 0),
        ("max_readers", 4097),
        ("max_readers", 4000),
        ("max_writers", 65),
    ],
)
def test_a_geometry_that_contradicts_itself_is_corrupt(ring_path: str, field: str, value: int) -> None:
    ringlog.create(ring_path, 65536)
    scribble(ring_path, field, value)
    fails_everywhere(ring_path, ringlog.CorruptStream, "damaged")


# ---- permissions ----


@as_root
def test_another_user_cannot_open_a_private_ring(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    code = """
        for attach in (ringlog.Reader, ringlog.Writer, ringlog.info, ringlog.unlink):
            try:
                attach(path)
                say("opened by", attach)
            except PermissionError as error:
                say(error.filename)
        """
    assert run(code, ring_path, user=NOBODY).split() == [ring_path] * 4


@as_root
def test_another_user_cannot_create_in_a_folder_of_mine(ring_path: str) -> None:
    code = """
        try:
            ringlog.create(path)
        except PermissionError:
            say("no")
        """
    assert run(code, ring_path, user=NOBODY) == "no\n"
    assert not os.path.exists(ring_path)
