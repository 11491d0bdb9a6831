"""What `--fix` does, and what it leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import posix_ipc
import pytest
from cli_command import COMMAND, out, run
from oracle import RingFile
from processes import Child, eventually

import ringlog
from ringlog import doctor, lock
from ringlog.doctor import fixing

pytestmark = pytest.mark.once

NAMES = {
    "sem.ringlog-" + "ab" * 16: "orphan-semaphores",
    "sem.ringlog-" + "cd" * 16 + "." + "ef" * 8: "orphan-semaphores",
    ".ring." + "cd" * 16: "unfinished-rings",
    "." + "0" * 20 + ".events." + "ab" * 8: "unfinished-logs",
    "0" * 20 + ".index." + "ab" * 8: "unfinished-logs",
}
OTHERS = ["sem.other", "ring.txt", ".hidden", "0" * 20 + ".events", "0" * 20 + ".index", ".x." + "g" * 32]


def said(*arguments: str, code: int = 0) -> Any:
    return json.loads(run("doctor", "--json", "--between", "50ms", *arguments, code=code).stdout)


def checks(path: str) -> set[str]:
    (seen,) = doctor.look([path], 0.01)
    return {finding.check for finding in doctor.check(seen)}


def fix(path: str) -> list[str]:
    (seen,) = doctor.look([path], 0.01)
    return [one.do() for one in doctor.fixes(doctor.check(seen))]


def died(spawn: Callable[..., Child], path: str, code: str) -> Child:
    child = spawn(f"{code}\nsay('ready')\ntime.sleep(300)", path)
    assert child.line() == "ready"
    child.kill()
    return child


# ---- files ----


@pytest.fixture
def littered(ring_folder: Path) -> Path:
    (ring_folder / "log").mkdir()
    for name in [*NAMES, *OTHERS]:
        folder = ring_folder / "log" if name[:1] == "0" or ".events" in name else ring_folder
        (folder / name).write_bytes(b"left")
        os.utime(folder / name, (0, 0))
    return ring_folder


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_leftovers_go(littered: Path) -> None:
    before = files(littered)
    dry = said("--dry-run", str(littered))
    assert files(littered) == before
    assert {one["check"] for one in dry["fixes"]} == set(NAMES.values())
    assert {one["done"] for one in dry["fixes"]} == {None}
    done = said("--fix", str(littered))
    assert [one["done"] for one in done["fixes"]] == ["removed 2 files", "removed 1 file", "removed 2 files"]
    assert files(littered) == set(OTHERS)
    assert said("--fix", str(littered))["fixes"] == []


def test_what_is_in_use_or_young_stays(littered: Path, spawn: Callable[..., Child]) -> None:
    semaphore, unfinished = littered / ("sem.ringlog-" + "ab" * 16), littered / (".ring." + "cd" * 16)
    user = spawn(
        "import mmap\nf = open(path, 'r+b')\nm = mmap.mmap(f.fileno(), 0)\nf.close()\n"
        "g = open(sys.argv[2])\nsay('ready')\ntime.sleep(300)",
        semaphore,
        unfinished,
    )
    assert user.line() == "ready"
    os.utime(littered / ("sem.ringlog-" + "cd" * 16 + "." + "ef" * 8))
    found = said("--dry-run", str(littered))["fixes"]
    assert [one["check"] for one in found] == ["unfinished-logs"]
    user.kill()
    assert len(said("--dry-run", str(littered))["fixes"]) == 3


def test_one_that_came_into_use_meanwhile_stays(littered: Path) -> None:
    steps = doctor.fixes(doctor.leftovers(str(littered), []))
    with open(littered / (".ring." + "cd" * 16)):
        assert [step.do() for step in steps if step.check == "unfinished-rings"] == ["removed 0 files"]


def test_a_folder_that_became_a_link_is_not_followed(littered: Path) -> None:
    steps = doctor.fixes(doctor.leftovers(str(littered), []))
    before = files(littered)
    (littered / "log").rename(littered / "elsewhere")
    (littered / "log").symlink_to(littered / "elsewhere")
    (step,) = [step for step in steps if step.check == "unfinished-logs"]
    with pytest.raises(ringlog.RinglogError, match="not where it was"):
        step.do()
    assert files(littered) == before


def test_a_symbolic_link_is_no_leftover(littered: Path, tmp_path: Path) -> None:
    link = littered / ("sem.ringlog-" + "12" * 16)
    link.symlink_to(tmp_path)
    said("--fix", str(littered))
    assert link.is_symlink()


def test_a_semaphore_in_use_by_a_ring_here_stays(ring_folder: Path) -> None:
    ring = str(ring_folder / "ring")
    ringlog.create(ring, 65536)
    with open(ring, "rb") as file:
        file.seek(144)
        beside = ring_folder / os.path.basename(lock.file_of(lock.semaphore_name(file.read(16))))
    beside.write_bytes(bytes(32))
    os.utime(beside, (0, 0))
    assert list(doctor.leftovers(str(ring_folder), [ring])) == []
    beside.unlink()


# ---- rings ----


def test_slots_of_the_dead(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, lossless=True):
        died(spawn, ring_path, "w = ringlog.Writer(path); w.append(b'x'); w.append(b'y')")
        died(spawn, ring_path, "a = ringlog.Reader(path, lossless=True); b = ringlog.Reader(path, name='n')")
        assert {"dead-writer", "dead-reader"} <= checks(ring_path)
        assert fix(ring_path) == ["freed 1 writer slot", "freed 1 reader slot"]
        assert checks(ring_path) == set()
        info = ringlog.info(ring_path)
        assert sorted(reader.name or "" for reader in info.readers) == ["", "n"]
        assert [one.pid for one in info.writers] == [os.getpid()]
        assert writer.append(b"z") == 2
        assert fix(ring_path) == []


def test_a_lock_that_a_dead_writer_left(ring_path: str, spawn: Callable[..., Child]) -> None:
    died(spawn, ring_path, "w = ringlog.Writer(path, lock='session'); w.append(b'x')")
    assert "dead-owner" in checks(ring_path)
    assert fix(ring_path) == ["took the write lock and gave it back, in order"]
    assert checks(ring_path) == set()
    assert ringlog.info(ring_path).event_count == 1


def test_a_semaphore_out_of_order(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with RingFile(ring_path) as file:
        name = f"/ringlog-{file.raw('file_id').hex()}"
    semaphore = posix_ipc.Semaphore(name)
    semaphore.release()
    assert checks(ring_path) == {"semaphore"}
    fix(ring_path)
    assert checks(ring_path) == set()
    semaphore.acquire(0)
    assert checks(ring_path) == {"semaphore"}
    fix(ring_path)
    assert checks(ring_path) == set()
    semaphore.unlink()
    semaphore.close()
    assert checks(ring_path) == {"semaphore"}
    fix(ring_path)
    assert checks(ring_path) == set()


def test_a_restart_is_not_for_us(ring_path: str) -> None:
    """Recovery may drop what was not synced: that is not safe."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"x")
    with RingFile(ring_path) as file:
        name = f"/ringlog-{file.raw('file_id').hex()}"
        file["boot_id"] = b"another boot id!"
    posix_ipc.unlink_semaphore(name)
    assert checks(ring_path) == {"restarted", "semaphore"}
    assert fix(ring_path) == []
    with RingFile(ring_path) as file:
        assert file.raw("boot_id") == b"another boot id!"


def test_the_living_are_left_alone(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    child = spawn(
        "r = ringlog.Reader(path, lossless=True)\nw = ringlog.Writer(path, lock='session')\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\nsay('goes on')\ntime.sleep(300)",
        ring_path,
    )
    eventually(lambda: {"stopped-owner", "stopped-reader"} <= checks(ring_path))
    report = said("--fix", ring_path, code=1)
    assert report["fixes"] == []
    assert report["problems"] == 2
    child.signal(signal.SIGCONT)
    assert child.line() == "goes on"


# ---- in words, and in vain ----


def test_in_words(ring_path: str, spawn: Callable[..., Child]) -> None:
    died(spawn, ring_path, "w = ringlog.Writer(path, lock='session'); w.append(b'x')")
    dry = out("doctor", "--between", "50ms", "--fix", "--dry-run", ring_path).decode()
    assert f"to fix: {ring_path}: take the write lock once" in dry
    assert "dead-owner" in checks(ring_path)
    done = out("doctor", "--between", "50ms", "--fix", ring_path).decode()
    assert f"fixed: {ring_path}: took the write lock" in done
    assert "dead-owner" not in checks(ring_path)


def test_a_fix_that_comes_too_late(
    ring_path: str, spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A living writer has taken the dead one's lock between the looking and the fixing."""
    died(spawn, ring_path, "w = ringlog.Writer(path, lock='session'); w.append(b'x')")
    (seen,) = doctor.look([ring_path], 0.01)
    (step, *_) = doctor.fixes(doctor.check(seen))
    monkeypatch.setattr(fixing, "PATIENCE", 0.1)
    with ringlog.Writer(ring_path, lock="session"), pytest.raises(ringlog.WriterBusy):
        step.do()


def test_the_machine_is_looked_at_if_asked(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    assert said(ring_path)["machine"] is None
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", "--between", "0", "--machine", ring_path],
        capture_output=True,
        check=False,
    )
    report = json.loads(done.stdout)
    problems = [one for one in report["machine"] if one["severity"] == "problem"]  # whatever this one is like
    assert report["problems"] == len(problems)
    assert done.returncode == bool(problems)
