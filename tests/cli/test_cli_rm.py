"""``ringlog rm``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cli_command import PATIENCE, Start, error, out, run, until

import ringlog
from ringlog.cli.errors import ExitCode


def test_removes_rings(folder: Path) -> None:
    paths = [str(folder / name) for name in ("one", "two")]
    for path in paths:
        out("create", path, "--capacity", "64K")
    assert out("rm", *paths) == b""
    assert not any(Path(path).exists() for path in paths)


def semaphores() -> set[Path]:
    return set(Path("/dev/shm").glob("sem.*"))


def test_leaves_no_semaphore(ring: str) -> None:
    others = semaphores()
    run("write", ring, "--capacity", "64K", data=b"one\n")
    candidates = semaphores() - others  # ours, and those of whoever else made a ring meanwhile
    assert candidates
    out("rm", ring)
    assert candidates - semaphores()


def test_missing(ring: str) -> None:
    assert error("rm", ring, code=ExitCode.NO_RING) == f"ringlog: {ring}: no such ring\n"
    assert out("rm", "--force", ring) == b""
    assert out("rm", "-f", ring) == b""


def test_goes_on_after_a_failure(folder: Path) -> None:
    ring, missing, text = (str(folder / name) for name in ("ring", "missing", "text"))
    Path(text).write_bytes(b"not a ring")
    out("create", ring, "--capacity", "64K")
    said = error("rm", "-f", missing, text, ring, code=ExitCode.NO_RING)
    assert said.startswith(f"ringlog: {text}: ")
    assert said.count("\n") == 1
    assert Path(text).exists()
    assert not Path(ring).exists()


def test_its_users_are_told(ring: str, start: Start) -> None:
    out("create", ring, "--capacity", "64K")
    reader = start("tail", "--lossless", ring, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: ringlog.info(ring).readers, reader)
    out("rm", ring)
    printed, said = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == ExitCode.NO_RING
    assert printed == b""
    assert said.decode() == f"ringlog: {ring}: the ring was removed\n"
