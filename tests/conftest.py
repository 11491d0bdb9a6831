"""What the tests share: a place for rings, and processes that don't stay behind.

`oracle.py` (an independent decoder, and planting) and `processes.py` stand beside this file and are
imported by their plain names: `from oracle import Planted`, `from processes import Child`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import posix_ipc
import pytest

import ringlog.lock

sys.path.insert(0, str(Path(__file__).parent))

from processes import Child

MEMORY = Path("/dev/shm")
HANGS = 120.0  # seconds that no test needs: the run ends there, with a traceback of every thread
# About the protocol, about other languages, or about what a person sees: the same under every CPython.
ONCE = (
    *("bench", "bridge", "bridge_cli", "bridge_nats", "cli", "docs", "doctor", "fuzz", "kill_points"),
    *("languages", "limits", "log_kills", "permissions", "power_loss", "soak", "top"),
)
ONCE_FILES = (
    *("api/test_headers.py", "in_place/test_in_place_kills.py", "log/test_log_killed.py"),
    *("user_tests/test_killed_writers.py", "waits/test_clock_steps.py", "waits/test_dead_peers.py"),
    *("waits/test_lost_wakes.py", "waits/test_stopped_peers.py", "writers/test_owner_alive.py"),
    *("writers/test_semaphore_lost.py", "writers/test_writer_kills.py"),
)
# But for those: what they test are references, event loops, threads and signals, or what is imported.
ON_EACH = (
    *("test_cli_main.py", "test_cli_tail.py", "test_cli_write.py", "test_leaks.py", "test_observing.py"),
    *("test_bridge_importing.py", "test_message.py", "test_pull_*.py", "test_push_*.py"),
)
_stderr = -1

# How long it takes to make an example says how busy the machine is.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    global _stderr
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        _stderr = os.dup(2)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # run in a shell's background: children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_once(item.path):
            item.add_marker("once")


@functools.cache
def _is_once(path: Path) -> bool:
    once = path.parent.name in ONCE or any(path.match(name) for name in ONCE_FILES)
    return once and not any(path.match(name) for name in ON_EACH)


def pytest_sessionstart() -> None:
    """A folder of another name would lose its mark, and nobody would notice but the clock."""
    here = Path(__file__).parent
    gone = [name for name in (*ONCE, *ONCE_FILES) if not (here / name).exists()]
    gone += [name for name in ON_EACH if not any(list((here / folder).glob(name)) for folder in ONCE)]
    if gone:
        raise pytest.UsageError(f"tests/conftest.py names what is not there: {', '.join(gone)}")


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(HANGS, exit=True, file=_stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


def _exists(semaphore: str) -> bool:
    try:
        posix_ipc.Semaphore(semaphore).close()
    except posix_ipc.ExistentialError:
        return False
    return True


@pytest.fixture
def ring_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory, in memory if the machine can, that every user may look into.

    Rings that a test leaves in it are removed. Fails the test if a removed ring's semaphore stays.
    """
    names: set[str] = set()
    known = ringlog.lock.semaphore_name

    def note(file_id: bytes) -> str:
        names.add(known(file_id))
        return known(file_id)

    monkeypatch.setattr(ringlog.lock, "semaphore_name", note)
    folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir=MEMORY if MEMORY.is_dir() else None))
    folder.chmod(0o755)
    yield folder
    broken = False  # a ring that a test has damaged doesn't tell any more which semaphore was its own
    for entry in folder.iterdir():
        if entry.is_file() and not entry.is_symlink():
            try:
                ringlog.unlink(entry)
            except (ringlog.RinglogError, OSError):
                broken = True
    shutil.rmtree(folder)
    left = [name for name in names if _exists(name)]
    for name in left:
        with contextlib.suppress(posix_ipc.ExistentialError):
            posix_ipc.unlink_semaphore(name)
    assert broken or not left, f"semaphores of removed rings are left: {left}"


@pytest.fixture
def ring_path(ring_folder: Path) -> str:
    """Where a ring may be made; it is removed after the test, and its semaphore must go with it."""
    return str(ring_folder / "ring")


@pytest.fixture
def spawn() -> Iterator[Callable[..., Child]]:
    """Start Python code in a process of its own: `spawn(code, *arguments, user=None)`.

    What still runs after the test is killed, stopped or not.
    """
    children: list[Child] = []

    def start(code: str, *arguments: object, user: int | None = None) -> Child:
        child = Child(code, *arguments, user=user)
        children.append(child)
        return child

    yield start
    for child in children:
        child.close()
