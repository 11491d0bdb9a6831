"""Creating and opening: arguments, and what is said about bad ones."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
from processes import run

import ringlog

# ---- create ----


@pytest.mark.parametrize(
    ("capacity", "following"),
    [(65537, 131072), (100_000, 131072), (131071, 131072), (3 << 20, 4 << 20), ((1 << 39) + 1, 1 << 40)],
)
def test_no_power_of_two_names_the_next(ring_path: str, capacity: int, following: int) -> None:
    for make in (ringlog.create, lambda path, capacity: ringlog.Writer(path, capacity=capacity)):
        with pytest.raises(ValueError, match=rf"\b{capacity}\b.*\b{following}\b"):
            make(ring_path, capacity)
    assert not os.path.exists(ring_path)


@pytest.mark.parametrize("capacity", [0, -65536, 1, 4096, 32768, 65535, 1 << 41, 1 << 80])
def test_a_capacity_out_of_range(ring_path: str, capacity: int) -> None:
    with pytest.raises(ValueError, match=f"{capacity}"):
        ringlog.create(ring_path, capacity)
    assert not os.path.exists(ring_path)


@pytest.mark.parametrize("capacity", ["65536", 65536.0, None, True, b"x"])
def test_a_capacity_of_another_type(ring_path: str, capacity: object) -> None:
    with pytest.raises(TypeError, match="capacity"):
        ringlog.create(ring_path, capacity)
    assert not os.path.exists(ring_path)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_readers": 0}, ValueError),
        ({"max_readers": 4097}, ValueError),
        ({"max_readers": "many"}, TypeError),
        ({"max_readers": True}, TypeError),
        ({"mode": -1}, ValueError),
        ({"mode": 0o1777}, ValueError),
        ({"mode": "rw"}, TypeError),
    ],
)
def test_other_bad_arguments(ring_path: str, options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        ringlog.create(ring_path, 65536, **options)
    assert not os.path.exists(ring_path)


@pytest.mark.parametrize("path", [7, None, 1.5, object()])
def test_a_path_of_another_type(path: object) -> None:
    for function in (ringlog.create, ringlog.info, ringlog.unlink, ringlog.Writer, ringlog.Reader):
        with pytest.raises(TypeError):
            function(path)


def test_paths_of_all_kinds(ring_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ring_folder)
    ringlog.create("relative", 65536)
    assert ringlog.info(Path("relative")).path == str(ring_folder / "relative")
    ringlog.create(ring_folder / "ütf 8\n", 65536)
    assert ringlog.info(ring_folder / "ütf 8\n").capacity == 65536
    with ringlog.Writer(Path("relative")) as writer:
        monkeypatch.chdir("/")
        assert writer.append(b"x") == 0


def test_it_exists_already(ring_path: str) -> None:
    made = ringlog.create(ring_path, 65536)
    with pytest.raises(FileExistsError) as caught:
        ringlog.create(ring_path, 65536)
    assert caught.value.filename == ring_path
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"kept")
    again = ringlog.create(ring_path, 65536, exist_ok=True)
    assert (again.stream_id, again.event_count) == (made.stream_id, 1)
    assert ringlog.create(ring_path, exist_ok=True).capacity == 65536  # none was asked for
    with pytest.raises(ValueError, match=r"65536.*131072"):
        ringlog.create(ring_path, 131072, exist_ok=True)
    assert ringlog.info(ring_path).event_count == 1


def test_exist_ok_takes_rings_only(ring_path: str) -> None:
    Path(ring_path).write_text("mine")
    with pytest.raises(ringlog.NotARing):
        ringlog.create(ring_path, 65536, exist_ok=True)
    assert Path(ring_path).read_text() == "mine"


@pytest.mark.parametrize("function", [ringlog.info, ringlog.unlink, ringlog.Reader])
def test_nothing_there(ring_path: str, function: object) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        function(ring_path)
    assert caught.value.filename == ring_path
    assert not os.path.exists(ring_path)


def test_a_ring_behind_a_symbolic_link(ring_folder: Path, ring_path: str) -> None:
    link = ring_folder / "link"
    link.symlink_to(ring_path)
    with pytest.raises(FileExistsError):
        ringlog.create(link, 65536)
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(link) as writer, ringlog.Reader(link) as reader:
        writer.append(b"x")
        assert reader.poll().data == b"x"


def test_removing_by_a_symbolic_link_does_not_half_remove(ring_folder: Path, ring_path: str) -> None:
    """Either the ring goes, or it can still be used."""
    ringlog.create(ring_path, 65536)
    link = ring_folder / "link"
    link.symlink_to(ring_path)
    with contextlib.suppress(ringlog.RinglogError, OSError):
        ringlog.unlink(link)
    if os.path.exists(ring_path):
        with ringlog.Writer(ring_path) as writer:
            writer.append(b"x")


# ---- no space ----

FULL = """
    import ctypes, errno
    libc = ctypes.CDLL(None, use_errno=True)
    folder, size, shm = sys.argv[1], sys.argv[2], sys.argv[3]
    def mount(kind, where, flags, options):
        if libc.mount(kind, where.encode(), kind, flags, options.encode() or None):
            say("skip")
            sys.exit()
    if libc.unshare(0x20000):  # CLONE_NEWNS: mounts of our own
        say("skip")
        sys.exit()
    mount(b"none", "/", 0x44000, "")  # MS_REC | MS_PRIVATE
    mount(b"tmpfs", "/dev/shm", 0, shm)
    mount(b"tmpfs", folder, 0, size)
    for make in (lambda: ringlog.create(folder + "/ring", 65536),
                 lambda: ringlog.Writer(folder + "/ring", capacity=65536)):
        try:
            make()
            say("made")
        except OSError as error:
            say(errno.errorcode[error.errno], os.listdir(folder), os.listdir("/dev/shm"))
    """


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
@pytest.mark.parametrize("full", ["disk", "semaphores"])
def test_no_space_left(tmp_path: Path, full: str) -> None:
    sizes = ("size=100k", "size=1m") if full == "disk" else ("size=1m", "size=1m,nr_inodes=1")
    said = run(FULL, tmp_path, *sizes).splitlines()
    if said == ["skip"]:
        pytest.skip("mounting is not permitted here")
    assert said == ["ENOSPC [] []"] * 2
    assert os.listdir(tmp_path) == []


# ---- Writer and Reader ----


def test_a_writer_creates_what_is_missing(ring_path: str) -> None:
    with ringlog.Writer(ring_path):
        assert ringlog.info(ring_path).capacity == 16 << 20
    with pytest.raises(ValueError, match=r"16777216.*65536"):
        ringlog.Writer(ring_path, capacity=65536)
    with ringlog.Writer(ring_path, capacity=16 << 20):
        pass


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"capacity": 3}, ValueError),
        ({"capacity": "big"}, TypeError),
        ({"lock": "never"}, ValueError),
        ({"sync": "sometimes"}, ValueError),
        ({"sync": 0}, ValueError),
        ({"sync": -1.0}, ValueError),
        ({"sync": True}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"timeout": "long"}, TypeError),
    ],
)
def test_a_refused_writer_makes_no_ring(ring_path: str, options: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        ringlog.Writer(ring_path, **options)
    assert not os.path.exists(ring_path)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no file system in memory")
@pytest.mark.parametrize("sync", ["always", 0.5])
def test_nothing_to_sync_in_memory(ring_path: str, sync: object) -> None:
    ringlog.create(ring_path, 65536)
    with pytest.raises(ValueError, match="in memory"):
        ringlog.Writer(ring_path, sync=sync)
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"x")
        with pytest.raises(ValueError, match="in memory"):
            writer.sync()
    assert ringlog.info(ring_path).writers == ()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"start": "first"}, ValueError),
        ({"start": -1}, ValueError),
        ({"start": 1}, ValueError),
        ({"start": 1.0}, TypeError),
        ({"start": None}, TypeError),
        ({"start": b"oldest"}, TypeError),
        ({"start": True}, TypeError),
        ({"name": 7}, TypeError),
        ({"name": b"n"}, TypeError),
        ({"on_overrun": "ignore"}, ValueError),
        ({"wait": "forever"}, ValueError),
        ({"open_timeout": "x"}, TypeError),
    ],
)
def test_bad_arguments_of_a_reader(ring_path: str, options: dict, error: type[Exception]) -> None:
    ringlog.create(ring_path, 65536)
    with pytest.raises(error):
        ringlog.Reader(ring_path, **options)
    assert ringlog.info(ring_path).readers == ()


def test_a_bad_start_of_a_lossless_reader_frees_its_slot(ring_path: str) -> None:
    ringlog.create(ring_path, 65536, max_readers=1)
    for name in (None, "n"):
        with pytest.raises(ValueError, match="beyond"):
            ringlog.Reader(ring_path, start=5, lossless=True, name=name)
        assert ringlog.info(ring_path).readers == ()
    ringlog.Reader(ring_path, lossless=True).close()


@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (-1, ValueError), ("x", TypeError)])
def test_a_bad_limit(ring_path: str, limit: object, error: type[Exception]) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Reader(ring_path) as reader, pytest.raises(error):
        reader.read_many(limit)


def test_open_timeout_waits_for_the_file(ring_path: str) -> None:
    with pytest.raises(FileNotFoundError):
        ringlog.Reader(ring_path, open_timeout=0.05)
    timer = threading.Timer(0.1, ringlog.create, (ring_path, 65536))
    timer.start()
    with ringlog.Reader(ring_path, open_timeout=20) as reader:
        assert reader.poll() is None
    timer.join()


def test_open_timeout_does_not_wait_for_what_is_no_ring(ring_path: str) -> None:
    Path(ring_path).write_text("mine")
    with pytest.raises(ringlog.NotARing):
        ringlog.Reader(ring_path, open_timeout=20)


def test_a_writer_that_cannot_sync_leaves_no_ring(ring_path: str) -> None:
    with pytest.raises(ValueError, match="in memory"):
        ringlog.Writer(ring_path, sync="always")
    assert not os.path.exists(ring_path)
