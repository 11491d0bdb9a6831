"""``ringlog create``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cli_command import error, out, run

import ringlog
from ringlog.cli.errors import ExitCode


def test_says_what_was_made(ring: str) -> None:
    line = out("create", ring, "--capacity", "1M", "--max-readers", "8").decode()
    info = ringlog.info(ring)
    assert line == f"{ring}: created, 1 MiB, stream {info.stream_id}\n"
    assert info.capacity == 1 << 20
    assert info.event_count == 0


def test_defaults(ring: str) -> None:
    out("create", ring)
    assert ringlog.info(ring).capacity == 16 << 20
    assert stat.S_IMODE(Path(ring).stat().st_mode) == 0o600


def test_mode(ring: str) -> None:
    out("create", ring, "--mode", "0644", "--capacity", "64K")
    assert stat.S_IMODE(Path(ring).stat().st_mode) == 0o644


def test_one_that_is_there(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    run("write", ring, data=b"one\n")
    assert "--exist-ok" in error("create", ring, "--capacity", "64K", code=ExitCode.FAILED)
    line = out("create", ring, "--capacity", "64K", "--exist-ok").decode()
    assert line.startswith(f"{ring}: exists, 64 KiB, stream ")
    assert ringlog.info(ring).event_count == 1


def test_one_that_is_there_with_another_capacity(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    assert b"64 KiB" in out("create", ring, "--exist-ok")
    for other in ("128K", "16M"):
        said = error("create", ring, "--capacity", other, "--exist-ok", code=ExitCode.USAGE)
        assert "has a capacity of 65536" in said


def test_exist_ok_creates_too(ring: str) -> None:
    assert b": created, " in out("create", ring, "--exist-ok")


def test_a_capacity_that_is_no_power_of_two(ring: str) -> None:
    assert "131072" in error("create", ring, "--capacity", "100000", code=ExitCode.USAGE)
    assert not Path(ring).exists()


def test_a_capacity_too_small(ring: str) -> None:
    error("create", ring, "--capacity", "4K", code=ExitCode.USAGE)


def test_no_such_directory(folder: Path) -> None:
    said = error("create", str(folder / "nowhere" / "ring"), code=ExitCode.NO_RING)
    assert f"no such directory: {folder}/nowhere" in said


def test_no_files_here() -> None:
    assert "no new files" in error("create", "/proc/ring", code=ExitCode.REFUSED)


def test_a_directory(folder: Path) -> None:
    assert "a directory" in error("create", str(folder), code=ExitCode.FAILED)


def test_no_space(ring: str) -> None:
    said = error("create", ring, "--capacity", "1T", code=ExitCode.REFUSED)
    assert "no space left" in said
    assert "KiB free" in said
    assert not Path(ring).exists()


def test_a_name_of_any_bytes(folder: Path) -> None:
    path = os.fsencode(folder) + b"/ring \xff"
    line = out("create", os.fsdecode(path), "--capacity", "64K")
    assert line.startswith(path + b": created, ")
    assert out("info", os.fsdecode(path)).startswith(path)
