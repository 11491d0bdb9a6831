"""Directories that everybody may write to: what another user put there beforehand is not taken for ours.

The kernel can forbid most of this (fs.protected_regular, fs.protected_symlinks); nothing here relies on it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracle import RingFile
from processes import NOBODY, Child, run_forked

import ringlog
from ringlog import lock

OTHER = 12345

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


def as_user(user: int, function: Callable[[], object]) -> object:
    def in_child() -> object:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        return function()

    return run_forked(in_child)


@pytest.fixture
def shared(ring_folder: Path) -> Path:
    """A directory like /tmp."""
    ring_folder.chmod(0o1777)
    return ring_folder


@pytest.fixture
def target(ring_folder: Path) -> Iterator[Path]:
    """A ring of ours elsewhere, that nobody else may look at."""
    path = ring_folder / "private" / "ring"
    path.parent.mkdir(0o700)
    ringlog.create(path, 1 << 16)
    yield path
    ringlog.unlink(path)


def refused(function: Callable[[], object]) -> str:
    with pytest.raises(PermissionError) as caught:
        function()
    return str(caught.value)


# ---- files ----


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_ring_of_another_user_is_not_taken_for_ours(shared: Path, mode: int) -> None:
    """Somebody guessed the name: what we publish would be his to read."""
    path = shared / "ticks"
    as_user(NOBODY, lambda: ringlog.create(path, 1 << 16, mode=mode) and None)
    for attempt in (
        lambda: ringlog.Writer(path),
        lambda: ringlog.Writer(path, capacity=1 << 16),
        lambda: ringlog.create(path, 1 << 16, exist_ok=True),
    ):
        said = refused(attempt)
        assert str(path) in said
        assert "belongs to" in said
        assert str(shared) in said
    with pytest.raises(FileExistsError):
        ringlog.create(path, 1 << 16)
    assert ringlog.info(path).event_count == 0


@as_root
def test_the_directory_owners_rings_are_for_all_that_may_write_them(shared: Path) -> None:
    """As the kernel sees it: who owns the directory could replace everything in it anyway."""
    path = shared / "ticks"
    ringlog.create(path, 1 << 16, mode=0o666)

    def append() -> int:
        with ringlog.Writer(path) as writer:
            return writer.append(b"x")

    assert as_user(NOBODY, append) == 0
    assert as_user(OTHER, append) == 1
    assert append() == 2


@as_root
def test_a_directory_of_ones_own_is_nobody_elses_business(ring_folder: Path) -> None:
    """Two users share a ring by a directory that only its owner writes to."""
    os.chown(ring_folder, OTHER, OTHER)
    path = ring_folder / "ticks"
    as_user(OTHER, lambda: ringlog.create(path, 1 << 16, mode=0o666) and None)

    def append() -> int:
        with ringlog.Writer(path) as writer:
            return writer.append(b"x")

    assert as_user(NOBODY, append) == 0
    assert append() == 1


@as_root
def test_readers_may_read_whatever_they_are_allowed_to(shared: Path) -> None:
    path = shared / "ticks"

    def publish() -> None:
        with ringlog.Writer(path, capacity=1 << 16) as writer:
            writer.append(b"theirs")
        os.chmod(path, 0o644)

    as_user(NOBODY, publish)
    with ringlog.Reader(path, start="oldest") as reader:
        assert reader.read(timeout=1).data == b"theirs"


# ---- links ----


@as_root
@pytest.mark.parametrize("user", [NOBODY, OTHER])
def test_a_symbolic_link_of_another_user_is_not_followed(shared: Path, target: Path, user: int) -> None:
    path = shared / "ticks"
    as_user(user, lambda: path.symlink_to(target))
    before = target.read_bytes()
    refused(lambda: ringlog.Writer(path))
    refused(lambda: ringlog.create(path, 1 << 16, exist_ok=True))
    with pytest.raises(FileExistsError):
        ringlog.create(path, 1 << 16)
    with pytest.raises(OSError, match="symbolic link"):
        ringlog.unlink(path)
    assert target.read_bytes() == before
    assert path.is_symlink()


def test_a_symbolic_link_of_ours_is(shared: Path, target: Path) -> None:
    (shared / "ticks").symlink_to(target)
    with ringlog.Writer(shared / "ticks") as writer:
        assert writer.append(b"x") == 0
    assert ringlog.info(target).event_count == 1


@as_root
def test_a_link_of_ours_to_a_ring_of_theirs(shared: Path, ring_folder: Path) -> None:
    theirs = shared / "theirs"
    as_user(NOBODY, lambda: ringlog.create(theirs, 1 << 16, mode=0o666) and None)
    (shared / "ours").symlink_to(theirs)
    refused(lambda: ringlog.Writer(shared / "ours"))


@pytest.mark.parametrize("leads", ["nowhere", "to itself", "to a directory"])
def test_links_that_lead_to_no_ring(shared: Path, leads: str) -> None:
    path = shared / "ticks"
    path.symlink_to({"nowhere": shared / "none", "to itself": path, "to a directory": shared}[leads])
    with pytest.raises(FileExistsError):
        ringlog.create(path, 1 << 16)
    with pytest.raises(ringlog.NotARing if leads == "to a directory" else OSError, match=r"link|directory"):
        ringlog.Writer(path)
    with pytest.raises((OSError, ringlog.NotARing)):
        ringlog.create(path, 1 << 16, exist_ok=True)
    assert os.listdir(shared) == ["ticks"]


def test_a_hard_link(shared: Path, target: Path) -> None:
    """A second name for what is ours. The kernel lets nobody else make one (fs.protected_hardlinks)."""
    path = shared / "ticks"
    os.link(target, path)
    with pytest.raises(FileExistsError):
        ringlog.create(path, 1 << 16)
    os.unlink(path)


# ---- other things in the way ----


@pytest.mark.parametrize("what", ["fifo", "socket", "directory", "file", "device"])
def test_other_things_at_the_path(shared: Path, what: str) -> None:
    path = shared / "ticks"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif what == "directory":
        path.mkdir()
    elif what == "file":
        path.write_bytes(b"mine" * 10_000)
    elif os.geteuid() == 0:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    else:
        pytest.skip("needs root, to make a device")
    for attempt in (
        lambda: ringlog.create(path, 1 << 16),
        lambda: ringlog.create(path, 1 << 16, exist_ok=True),
        lambda: ringlog.Writer(path),
        lambda: ringlog.Reader(path),
        lambda: ringlog.unlink(path),
    ):
        with pytest.raises((ringlog.NotARing, OSError)):
            attempt()
    assert path.exists()
    assert what != "file" or path.read_bytes() == b"mine" * 10_000
    path.rmdir() if what == "directory" else path.unlink()


# ---- races ----


@as_root
def test_what_create_describes_is_what_it_made(ring_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory where everybody may remove everything, another ring stands there a moment later."""
    path = ring_folder / "ticks"
    other = ring_folder / "other"
    ringlog.create(other, 1 << 17)
    link = os.link

    def link_and_lose(*arguments: object, **options: object) -> None:
        link(*arguments, **options)  # type: ignore[arg-type]
        if arguments[1] == path.name:
            with RingFile(path, writable=False) as file:
                made.append(f"/ringlog-{file.raw('file_id').hex()}")
            os.replace(other, path)

    made = []
    monkeypatch.setattr(os, "link", link_and_lose)
    assert ringlog.create(path, 1 << 16).capacity == 1 << 16
    monkeypatch.undo()
    lock.remove_semaphore(made[0])
    assert ringlog.info(path).capacity == 1 << 17


@as_root
def test_a_path_that_is_swapped_all_the_time(shared: Path, target: Path, spawn: Callable[..., Child]) -> None:
    """Another user makes and removes links to a ring of ours while we open it: it is never opened by them."""
    path = shared / "ticks"
    child = spawn(
        """
        target = sys.argv[2]
        say("ready")
        while True:
            for make in (lambda: os.symlink(target, path), lambda: os.symlink("/nowhere", path),
                         lambda: ringlog.create(path, 65536, mode=0o666)):
                try:
                    make()
                except FileExistsError:
                    pass
                try:
                    ringlog.unlink(path)
                except (OSError, ValueError):
                    try:
                        os.unlink(path)
                    except OSError:
                        pass
        """,
        path,
        target,
        user=NOBODY,
    )
    child.line()
    made = refusals = 0
    while made < 30 or refusals < 30:
        try:
            with ringlog.Writer(path, capacity=1 << 16) as writer:
                assert os.stat(writer._path).st_uid == 0
                writer.append(b"secret")
                made += 1
            ringlog.unlink(path)
        except (OSError, ringlog.RingRemoved):
            refusals += 1
    child.kill()
    assert ringlog.info(target).event_count == 0
    path.unlink(missing_ok=True)
