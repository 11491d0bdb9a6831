"""Rings for tests: where they are, that they go, and what a killed process left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Child, eventually

import ringlog
from ringlog import _core
from ringlog.lock import semaphore_name
from ringlog.testing import TemporaryRing

Spawn = Callable[..., Child]


def semaphore_of(path: str) -> Path:
    return Path("/dev/shm/sem." + semaphore_name(Path(path).read_bytes()[144:160])[1:])


def test_everything_is_closed_and_removed() -> None:
    with TemporaryRing() as ring:
        writer, reader = ring.writer(), ring.reader(lossless=True)
        writer.append(b"one")
        assert reader.read(timeout=10).data == b"one"
        semaphore = semaphore_of(ring.path)
        assert semaphore.exists()
        assert ring.info().event_count == 1
        assert len(ring.info().readers) == 1
    assert not Path(ring.path).parent.exists()
    assert not semaphore.exists()
    with pytest.raises(ringlog.ClosedError):
        writer.append(b"two")
    with pytest.raises(ringlog.ClosedError):
        reader.poll()
    ring.close()


def test_an_open_claim_and_an_open_view_are_no_obstacle() -> None:
    with TemporaryRing() as ring:
        writer, reader = ring.writer(), ring.reader()
        writer.append(b"one")
        view = reader.view(timeout=10)
        assert view is not None
        view.__enter__()
        writer.claim(10).__enter__()
    assert not Path(ring.path).parent.exists()


def test_a_ring_that_the_test_removed_or_destroyed() -> None:
    with TemporaryRing() as ring:
        ringlog.unlink(ring)
    with TemporaryRing() as ring:
        Path(ring.path).write_bytes(b"no ring")
    assert not Path(ring.path).parent.exists()


def test_it_stands_for_its_path() -> None:
    with TemporaryRing(1 << 17, max_readers=3) as ring, ringlog.Writer(ring) as writer:
        writer.append(b"one")
        assert ringlog.info(ring).capacity == 1 << 17
        assert os.fspath(ring) == ring.path
    with pytest.raises(ValueError, match="power of two"):
        TemporaryRing(100_000)


def test_what_a_killed_process_left_goes_with_the_next(spawn: Spawn) -> None:
    child = spawn("""
        from ringlog.testing import TemporaryRing
        ring = TemporaryRing()
        writer = ring.writer()
        say(ring.path)
        sys.stdin.read()
    """)
    path = child.line()
    semaphore = semaphore_of(path)
    with TemporaryRing():
        assert Path(path).exists()  # its process lives
    child.kill()
    assert Path(path).exists()
    with TemporaryRing():
        assert not Path(path).parent.exists()
        assert not semaphore.exists()


def test_many_processes_at_once_leave_nothing(spawn: Spawn) -> None:
    code = """
        from ringlog.testing import TemporaryRing
        for _ in range(25):
            with TemporaryRing() as ring:
                with ring.writer() as writer:
                    writer.append(b"x")
                assert ring.reader().poll().data == b"x"
        say(ring.path)
    """
    for child in [spawn(code) for _ in range(4)]:
        path = Path(child.line())
        child.finish()
        eventually(lambda path=path: not path.exists())


def test_an_error_while_it_is_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_options: object) -> str:
        raise FileNotFoundError("somebody removed it")

    monkeypatch.setattr("ringlog.testing.places.MEMORY", tmp_path)
    monkeypatch.setattr("tempfile.mkdtemp", fail)
    with pytest.raises(FileNotFoundError, match="somebody"):
        TemporaryRing()


def test_where_memory_can_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringlog.testing.places.MEMORY", tmp_path / "missing")
    with TemporaryRing(fallback=tmp_path) as ring, ring.writer() as writer:
        assert Path(ring.path).is_relative_to(tmp_path)
        writer.append(b"one")
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_alone_imports_nothing_of_the_core() -> None:
    code = "import sys, pytest_ringlog; print([name for name in sys.modules if name.startswith('ringlog')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_only_who_has_the_lock_gives_up_the_window() -> None:
    with TemporaryRing() as ring:
        writer = ring.writer()
        assert isinstance(writer, _core.Writer)
        with pytest.raises(ValueError, match="lock"):
            writer._drop_window()
