"""``ringlog verify`` and ``ringlog repair``."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from cli_command import error, out, run, run_as_nobody

import ringlog
from ringlog.cli.errors import ExitCode

OWNER = 320  # offset of the owner word


def bad_byte(path: str | Path, offset: int) -> None:
    content = bytearray(Path(path).read_bytes())
    content[offset] ^= 0x20
    Path(path).write_bytes(content)


def data_of(ring: str, number: int) -> int:
    """Where the data of an event of `numbers` is in the file: each has one digit."""
    return ringlog.info(ring).data_start + 17 * number + 16


def kill_owner(ring: str) -> None:
    """The lock is held by a writer that has died."""
    with open(ring, "r+b") as file:
        file.seek(OWNER)
        file.write(struct.pack("<Q", 7 << 16 | 5))


def torn_log(path: Path) -> Path:
    began = 1_700_000_000_000_000_000
    entries = b"".join(struct.pack("<qII", began, 3, zlib.crc32(data)) + data for data in (b"one", b"two"))
    path.write_bytes(struct.pack("<qqq", 24 + len(entries), 2, began) + entries[:-1])
    return path


def test_a_whole_ring(numbers: str) -> None:
    text = out("verify", numbers).decode()
    assert text.startswith(f"{numbers}: ring, whole\n  10 events, 170 bytes, in 0.")
    assert text.endswith("/s)\n")


def test_a_damaged_ring(numbers: str) -> None:
    bad_byte(numbers, data_of(numbers, 4))
    done = run("verify", numbers, code=ExitCode.BAD_DATA)
    assert done.stderr == b""
    first, second = done.stdout.decode().splitlines()
    assert first == (
        f"{numbers}: ring, damaged at position 92: "
        "sequence 4: the data does not have the checksum of its entry"
    )
    assert second.startswith("  4 events, 68 bytes whole in front of it, in ")


def test_verify_as_json(numbers: str) -> None:
    found = json.loads(out("verify", "--json", numbers))
    assert found.pop("seconds") > 0
    assert found == {
        "path": numbers,
        "kind": "ring",
        "events": 10,
        "bytes": 170,
        "first_bad": None,
        "why": None,
        "overtaken": 0,
        "notes": [],
        "ok": True,
    }
    bad_byte(numbers, data_of(numbers, 0))
    found = json.loads(run("verify", "--json", numbers, code=ExitCode.BAD_DATA).stdout)
    assert (found["ok"], found["first_bad"], found["events"]) == (False, 24, 0)


def test_a_log(folder: Path) -> None:
    log = torn_log(folder / "log")
    text = run("verify", str(log), code=ExitCode.BAD_DATA).stdout.decode()
    assert f"{log}: log, damaged at position 43: sequence 1: the file ends within this entry\n" in text


@pytest.mark.parametrize("verb", ["verify", "repair"])
def test_what_is_neither(folder: Path, verb: str) -> None:
    (folder / "text").write_text("text\n" * 100)
    assert "not a ring or a log" in error(verb, str(folder / "text"), code=ExitCode.NO_RING)
    assert "directory without segments" in error(verb, str(folder), code=ExitCode.NO_RING)
    assert "no such ring" in error(verb, str(folder / "none"), code=ExitCode.NO_RING)


def test_repair_says_first_and_does_on_demand(numbers: str) -> None:
    kill_owner(numbers)
    before = Path(numbers).read_bytes()
    said = out("repair", numbers).decode()
    assert said.startswith(f"{numbers}: to do (--yes does it)\n  - take the write lock from a writer")
    assert "died while it held the write lock" in said
    assert Path(numbers).read_bytes() == before
    done = out("repair", "--yes", numbers).decode()
    assert done.startswith(f"{numbers}: done\n  - take the write lock from a writer")
    assert "died" not in done
    again = out("repair", "--yes", numbers).decode()
    assert (
        again
        == f"{numbers}: nothing that recovery would do\n{numbers}: ring, whole\n  10 events, 170 bytes\n"
    )


def test_repair_of_a_torn_log(folder: Path) -> None:
    log = torn_log(folder / "log")
    said = run("repair", str(log), code=ExitCode.BAD_DATA).stdout.decode()
    assert (
        "  - cut off what was torn at position 43 (the file ends within this entry): 1 event kept\n" in said
    )
    assert "ring or log" not in said
    found = json.loads(out("repair", "--json", "--yes", str(log)))
    assert (found["done"], found["report"]["ok"], found["report"]["events"]) == (True, True, 1)
    assert log.stat().st_size == 43


def test_repair_leaves_damage_in_the_middle(numbers: str) -> None:
    bad_byte(numbers, data_of(numbers, 4))
    before = Path(numbers).read_bytes()
    said = run("repair", "--yes", numbers, code=ExitCode.BAD_DATA).stdout.decode()
    assert said.startswith(
        f"{numbers}: nothing that recovery would do\n{numbers}: ring, damaged at position 92"
    )
    assert Path(numbers).read_bytes() == before


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_permissions(numbers: str) -> None:
    kill_owner(numbers)
    os.chmod(numbers, 0o644)
    assert run_as_nobody("verify", numbers).returncode == 0
    assert run_as_nobody("repair", numbers).returncode == 0
    done = run_as_nobody("repair", "--yes", numbers)
    assert done.returncode == ExitCode.REFUSED
    assert b"permission denied" in done.stderr
    os.chmod(numbers, 0o600)
    assert run_as_nobody("verify", numbers).returncode == ExitCode.REFUSED
