"""Writers killed at a point, as a user's tests do it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ringlog
from ringlog.testing import (
    BuildFailed,
    PointNotReached,
    TemporaryRing,
    building,
    force_overrun,
    kill_writer_at,
    points,
)

pytestmark = pytest.mark.once
PROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"


@pytest.fixture
def fresh() -> Iterator[TemporaryRing]:
    with TemporaryRing() as ring:
        yield ring


class Doomed:
    @staticmethod
    def write(path: str) -> None:
        with ringlog.Writer(path) as writer:
            writer.append(b"whole")
            writer.append(b"half")


def write_for_ever(path: str) -> None:
    print("alive", flush=True)
    while True:
        time.sleep(1)


def fails(path: str) -> None:
    raise ZeroDivisionError("in the writer")


def test_killed_between_copy_and_publication(fresh: TemporaryRing) -> None:
    killed = kill_writer_at("entry_copied", fresh, Doomed.write, hits=2)
    assert killed.point == "entry_copied"
    assert not Path(f"/proc/{killed.pid}").exists()
    reader = fresh.reader()
    assert [event.data for event in reader.read_many()] == [b"whole"]
    assert [writer.state for writer in fresh.info().writers] == ["dead"]
    with fresh.writer() as heir:  # takes over from the dead one, who holds the lock
        assert heir.append(b"next") == 1
    assert reader.read(timeout=10).data == b"next"
    assert ringlog.verify(fresh.path).ok


@pytest.mark.parametrize("point", ["lock_taken", "tail_stored", "head_invalid", "unlock_released"])
def test_the_writer_that_is_there_by_default(fresh: TemporaryRing, point: str) -> None:
    kill_writer_at(point, fresh, hits=2)
    with fresh.writer() as heir:
        heir.append(b"next")
    *published, last = fresh.reader().read_many(100_000)
    assert last.data == b"next"
    assert all(event.data.rstrip(b"\0 ") == b"event %d" % event.sequence for event in published)
    force_overrun(fresh)


def test_code_and_scripts(fresh: TemporaryRing, tmp_path: Path) -> None:
    code = """
        with ringlog.Writer(path) as writer:
            writer.append(b"from code")
    """
    kill_writer_at("publish_done", fresh, code)
    script = tmp_path / "writer.py"
    script.write_text(
        "import sys, ringlog\nprint('said', flush=True)\n"
        "with ringlog.Writer(sys.argv[1]) as writer: writer.append(b'from a script')"
    )
    assert kill_writer_at("publish_done", fresh, script).output == "said\n"
    assert [event.data for event in fresh.reader().read_many()] == [b"from code", b"from a script"]


def test_what_does_not_get_there(fresh: TemporaryRing) -> None:
    with pytest.raises(PointNotReached, match=r"did not pass 'claim_made' once(.|\n)*entry_copied 2x"):
        kill_writer_at("claim_made", fresh, Doomed.write)
    with pytest.raises(PointNotReached, match="3 times"):
        kill_writer_at("entry_copied", fresh, Doomed.write, hits=3)
    with pytest.raises(PointNotReached, match="ZeroDivisionError: in the writer"):
        kill_writer_at("entry_copied", fresh, fails)
    with pytest.raises(TimeoutError, match="neither passed"):
        kill_writer_at("entry_copied", fresh, write_for_ever, timeout=1)


def test_what_makes_no_sense(fresh: TemporaryRing) -> None:
    with pytest.raises(ValueError, match="no point is named 'nowhere'"):
        kill_writer_at("nowhere", fresh)
    with pytest.raises(ValueError, match="hits"):
        kill_writer_at("lock_taken", fresh, hits=0)
    with pytest.raises(ValueError, match="top level"):
        kill_writer_at("lock_taken", fresh, lambda path: None)
    with pytest.raises(TypeError, match="not int"):
        kill_writer_at("lock_taken", fresh, 5)  # type: ignore[arg-type]


def test_the_points_are_those_of_the_build() -> None:
    code = "from ringlog import _core; print(*_core.points())"
    environment = {**os.environ, "PYTHONPATH": building.built()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == points()


def test_it_is_built_as_the_core_that_is_installed() -> None:
    tomllib = pytest.importorskip("tomllib")
    [declared] = tomllib.loads(PROJECT.read_text())["tool"]["setuptools"]["ext-modules"]
    assert list(building.FLAGS) == [flag for flag in declared["extra-compile-args"] if flag != "-O3"]
    there = {f"ringlog/_native/{path.name}" for path in (building.PACKAGE / "_native").glob("*.c")}
    points_alone = {"ringlog/_native/points.c", "ringlog/_native/points_module.c"}
    assert there == {*declared["sources"], *points_alone}
    assert declared["include-dirs"] == ["ringlog/_native", "ringlog/_native/include"]


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BuildFailed, match="'no-such-compiler' is missing"):
        building.built.__wrapped__()
    monkeypatch.setenv("CC", "false")
    with pytest.raises(BuildFailed, match="failed: false"):
        building.built.__wrapped__()
    assert [path.name for path in (tmp_path / "ringlog" / "points").iterdir()] == ["lock"]
