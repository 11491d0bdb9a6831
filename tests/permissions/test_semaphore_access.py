"""The semaphore of a ring: who may use it follows the ring, and what others put in its place harms nobody."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import posix_ipc
import pytest
from oracle import RingFile
from processes import NOBODY, Child, run, run_forked

import ringlog
from ringlog import lock

OTHER = 12345  # a user id that nobody has
GROUP = 23456

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


def name_of(path: str) -> str:
    with RingFile(path, writable=False) as file:
        return f"/ringlog-{file.raw('file_id').hex()}"


def file_of(path: str) -> Path:
    """Where glibc keeps it."""
    return Path(f"/dev/shm/sem.{name_of(path)[1:]}")


def access(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def become(user: int, group: int | None = None, groups: tuple[int, ...] = ()) -> None:
    os.setgroups(groups)
    os.setgid(user if group is None else group)
    os.setuid(user)


def append_one(path: str) -> int:
    with ringlog.Writer(path, timeout=10) as writer:
        return writer.append(b"x")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o666])
def test_whatever_the_umask_says(ring_path: str, umask: int, mode: int) -> None:
    """Made with the ring, and made again by a writer that finds it gone."""

    def make() -> list[tuple[int, int, int]]:
        os.umask(umask)
        ringlog.create(ring_path, 1 << 16, mode=mode)
        first = access(file_of(ring_path))
        file_of(ring_path).unlink()
        ringlog.Writer(ring_path, timeout=5).close()
        return [first, access(file_of(ring_path)), access(Path(ring_path))]

    assert run_forked(make) == [(mode, os.geteuid(), os.getegid())] * 3


@pytest.mark.parametrize("umask", [0o022, 0o777])
def test_a_ring_is_private_unless_told_otherwise(ring_path: str, umask: int) -> None:
    def make() -> int:
        os.umask(umask)
        ringlog.Writer(ring_path, capacity=1 << 16).close()
        return stat.S_IMODE(os.stat(ring_path).st_mode)

    assert run_forked(make) == 0o600


@as_root
def test_it_belongs_to_whom_the_ring_belongs(ring_path: str) -> None:
    """Root makes it again: the ring's owner can still write."""
    os.chmod(os.path.dirname(ring_path), 0o777)

    def make() -> None:
        become(OTHER)
        ringlog.create(ring_path, 1 << 16)

    run_forked(make)
    file_of(ring_path).unlink()
    assert append_one(ring_path) == 0
    assert access(file_of(ring_path)) == (0o600, OTHER, OTHER)

    def append() -> int:
        become(OTHER)
        return append_one(ring_path)

    assert run_forked(append) == 1


@as_root
def test_a_group_that_shares_a_ring_shares_the_semaphore(ring_path: str) -> None:
    """One of the group makes it again; it is the group's, whatever that one's own group is."""
    ringlog.create(ring_path, 1 << 16, mode=0o660)
    os.chown(ring_path, OTHER, GROUP)
    file_of(ring_path).unlink()

    def append(user: int) -> Callable[[], int]:
        def in_child() -> int:
            become(user, groups=(GROUP,))
            return append_one(ring_path)

        return in_child

    assert run_forked(append(NOBODY)) == 0
    assert access(file_of(ring_path)) == (0o660, NOBODY, GROUP)
    assert run_forked(append(OTHER)) == 1
    assert run_forked(append(OTHER + 1)) == 2


@as_root
@pytest.mark.parametrize(("mode", "value"), [(0o600, 1), (0o666, 0), (0o666, 1000)])
def test_planted_by_another_user(ring_path: str, mode: int, value: int, spawn: Callable[..., Child]) -> None:
    """A user who may read the ring knows the name. What it puts there is not used: it could be cut at any
    time, which would end whoever uses it with a signal. Writers go on by the owner word."""
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    name, file = name_of(ring_path), file_of(ring_path)
    file.unlink()

    def plant() -> None:
        become(NOBODY)
        os.umask(0)
        posix_ipc.Semaphore(name, posix_ipc.O_CREX, mode=mode, initial_value=value).close()

    run_forked(plant)
    code = """
        with ringlog.Writer(path, timeout=60) as writer:
            with open("/proc/self/maps") as maps:
                say(*[line.split()[-1] for line in maps if "/sem." in line])
            sys.stdin.readline()
            for k in range(300):
                writer.append(b"x")
        """
    children = [spawn(code, ring_path) for _ in range(3)]
    for child in children:
        assert child.line() == "(deleted)"  # the one that it uses instead has no name
    os.truncate(file, 0)
    for child in children:
        child.tell()
    for child in children:
        child.finish(60)
    assert ringlog.info(ring_path).event_count == 900
    assert access(file)[1] == NOBODY
    ringlog.unlink(ring_path)
    file.unlink(missing_ok=True)


@as_root
@pytest.mark.parametrize("what", ["directory", "fifo", "link", "empty"])
def test_other_things_planted_there(ring_path: str, what: str) -> None:
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    file = file_of(ring_path)
    file.unlink()
    victim = Path(ring_path + "-victim")
    victim.write_bytes(b"mine")
    victim.chmod(0o600)

    def plant() -> None:
        become(NOBODY)
        if what == "directory":
            file.mkdir()
        elif what == "fifo":
            os.mkfifo(file)
        elif what == "link":
            file.symlink_to(victim)
        else:
            file.touch()

    run_forked(plant)
    assert append_one(ring_path) == 0
    assert append_one(ring_path) == 1
    ringlog.unlink(ring_path)
    assert not os.path.exists(ring_path)
    assert (victim.read_bytes(), access(victim)[0]) == (b"mine", 0o600)
    if what == "directory":
        file.rmdir()
    else:
        file.unlink(missing_ok=True)
    victim.unlink()


@as_root
def test_who_uses_another_one_comes_back(ring_path: str) -> None:
    """When the planted one is gone and there is a right one again, a writer that has to wait follows."""
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    file = file_of(ring_path)
    file.unlink()

    def plant() -> None:
        become(NOBODY)
        file.touch()

    run_forked(plant)
    with ringlog.Writer(ring_path, timeout=10) as writer:
        own = writer._semaphore
        assert not own.native.same(None)
        assert own.is_private
        own.renew()
        assert own.is_private
        file.unlink()
        own.renew()
        assert not own.is_private
        assert own.native.same(lock._core.Semaphore(name_of(ring_path)))
        assert writer.append(b"x") == 0


def test_a_ring_that_others_may_write_trusts_their_semaphore(ring_path: str) -> None:
    """They could do worse to the ring itself; and they may be the ones who made it again."""
    assert lock.Access(0o666, 1, 1).trusts(os.stat_result((0o100666, 0, 0, 1, 2, 2, 0, 0, 0, 0)))
    assert not lock.Access(0o644, 1, 1).trusts(os.stat_result((0o100666, 0, 0, 1, 2, 1, 0, 0, 0, 0)))
    assert lock.Access(0o644, 1, 1).trusts(os.stat_result((0o100644, 0, 0, 1, 1, 1, 0, 0, 0, 0)))


@as_root
def test_with_read_permission_nobody_touches_it(ring_path: str) -> None:
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    code = """
        import posix_ipc
        name, file = sys.argv[2:]
        for change in ("posix_ipc.Semaphore(name)", "posix_ipc.unlink_semaphore(name)", "os.unlink(file)",
                       "os.open(file, os.O_RDWR)", "os.truncate(file, 0)", "os.chmod(file, 0o666)",
                       "os.rename(file, file + 'x')"):
            try:
                eval(change)
                say("could", change)
            except (PermissionError, posix_ipc.PermissionsError):
                pass
        """
    before = file_of(ring_path).read_bytes()
    assert run(code, ring_path, name_of(ring_path), file_of(ring_path), user=NOBODY) == ""
    assert file_of(ring_path).read_bytes() == before
