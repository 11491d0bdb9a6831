"""Permissions of a ring, of its semaphore, and of who looks."""

from __future__ import annotations

import os
import stat

import pytest
from processes import NOBODY, run

import ringlog
from ringlog import doctor, lock

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away"),
]

# Imported before it becomes nobody, who may not be able to read the standard library.
AS_NOBODY = """
import pwd
from ringlog import doctor
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
(seen,) = doctor.look([path], 0)
print(*(f"{one.severity} {one.check}" for one in doctor.check(seen)), sep="\\n")
"""


@pytest.fixture
def semaphore(ring_path: str) -> str:
    """The file of the semaphore of a ring at `ring_path`."""
    ringlog.create(ring_path, 65536)
    with open(ring_path, "rb") as file:
        file.seek(144)
        name = lock.semaphore_name(file.read(16))
    return lock.file_of(name)


def checks(path: str) -> dict[str, doctor.Finding]:
    (seen,) = doctor.look([path], 0)
    return {finding.check: finding for finding in doctor.check(seen)}


def test_nothing_to_say(ring_path: str, semaphore: str) -> None:
    assert checks(ring_path) == {}
    os.chmod(ring_path, 0o644)  # readers use no semaphore
    assert checks(ring_path) == {}


@pytest.mark.parametrize(
    ("ring", "semaphore_mode", "text"),
    [
        (
            0o660,
            0o600,
            "may write the ring, and may not use its semaphore: group 0 (ring 0660, semaphore 0600)",
        ),
        (0o660, 0o640, "may not use its semaphore: group 0"),
        (0o600, 0o660, "may use its semaphore, and may not write the ring: group 0"),
        (0o600, 0o606, "may use its semaphore, and may not write the ring: everybody"),
        (0o666, 0o660, "may not use its semaphore: everybody"),
    ],
)
def test_ring_and_semaphore(
    ring_path: str, semaphore: str, ring: int, semaphore_mode: int, text: str
) -> None:
    os.chmod(ring_path, ring)
    os.chmod(semaphore, semaphore_mode)
    found = checks(ring_path)
    found.pop("open-to-all", None)
    assert set(found) == {"semaphore-access"}
    assert text in found["semaphore-access"].text
    (fix,) = doctor.fixes(found.values())
    assert f"{ring & 0o666:04o}" in fix.text
    fix.do()
    assert stat.S_IMODE(os.stat(semaphore).st_mode) == ring & 0o666
    assert set(checks(ring_path)) <= {"open-to-all"}


def test_a_ring_that_was_given_away(ring_path: str, semaphore: str) -> None:
    os.chown(ring_path, NOBODY, NOBODY)
    os.chmod(ring_path, 0o660)
    found = checks(ring_path)
    assert "nobody, group" in found["semaphore-access"].text
    (fix,) = doctor.fixes(found.values())
    fix.do()
    seen = os.stat(semaphore)
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (NOBODY, NOBODY, 0o660)
    assert checks(ring_path) == {}


def test_a_semaphore_of_somebody_else(ring_path: str, semaphore: str) -> None:
    os.chown(semaphore, NOBODY, NOBODY)
    finding = checks(ring_path)["foreign-semaphore"]
    assert finding.severity == "problem"
    assert doctor.fixes([finding]) == []  # whose it is, is for a person to find out
    os.chown(semaphore, 0, 0)


def test_a_fix_follows_no_link(ring_path: str, semaphore: str, tmp_path: os.PathLike[str]) -> None:
    os.chmod(ring_path, 0o660)
    (fix,) = doctor.fixes(checks(ring_path).values())
    victim = os.path.join(tmp_path, "victim")
    with open(victim, "w"):
        os.chmod(victim, 0o600)
    os.unlink(semaphore)
    os.symlink(victim, semaphore)
    with pytest.raises(OSError, match="symbolic"):
        fix.do()
    os.unlink(semaphore)
    os.link(victim, semaphore) if os.stat(victim).st_dev == os.stat("/dev/shm").st_dev else None
    assert stat.S_IMODE(os.stat(victim).st_mode) == 0o600


def test_open_to_all(ring_path: str, semaphore: str) -> None:
    os.chmod(semaphore, 0o666)
    os.chmod(ring_path, 0o666)
    assert checks(ring_path)["open-to-all"].advice.endswith(f"chmod o-w {ring_path}")


def test_what_another_user_may_not_do(ring_path: str, semaphore: str) -> None:
    os.chmod(ring_path, 0o644)
    assert run(AS_NOBODY, ring_path).split("\n")[:-1] == ["note read-only"]
    os.chmod(semaphore, 0o666)
    os.chmod(ring_path, 0o666)
    os.chmod(os.path.dirname(ring_path), 0o1777)
    # The folder's owner is the ring's: only a third one's ring is not taken for one's own.
    assert "shared-folder" not in run(AS_NOBODY, ring_path)
    os.chown(ring_path, 1234, 1234)
    assert "note shared-folder" in run(AS_NOBODY, ring_path)
