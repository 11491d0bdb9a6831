"""The programs of demos/c, built once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

import ringlog

HERE = Path(__file__).parent
PROGRAMS = HERE.parent.parent / "demos" / "c"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker("once")


@pytest.fixture(scope="session")
def built() -> Iterator[Path]:
    """A folder with `writer` and `reader`, and `doomed`, a writer that is killed at a named point."""
    lacking = [tool for tool in ("make", "cc", "c++") if shutil.which(tool) is None]
    if lacking or not PROGRAMS.is_dir():
        pytest.skip(f"not there: {', '.join(lacking) or PROGRAMS}")
    folder = Path(tempfile.mkdtemp(prefix="ringlog-languages-"))
    folder.chmod(0o755)  # another user runs them, too
    try:
        build(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def build(folder: Path) -> None:
    make = ["make", "-s", "-j4", "-C", str(PROGRAMS), f"PYTHON={sys.executable}"]
    strict = "-O1 -g -Wpedantic -Werror"
    run([*make, f"OUT={folder}", f"CFLAGS={strict}", f"CXXFLAGS={strict}"])
    native = Path(ringlog.get_include()).parent
    below = [str(path) for path in folder.glob("*.o") if (native / f"{path.stem}.c").exists()]
    ours = [str(path) for path in PROGRAMS.glob("ring_*.c")]
    places = [f"-I{native}", f"-I{native / 'include'}", f"-I{PROGRAMS}"]
    flags = [
        "-std=c11",
        "-D_GNU_SOURCE",
        "-DRINGLOG_POINTS",
        "-pthread",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O1",
    ]
    source = [str(HERE / "doomed.c"), str(native / "points.c"), *ours, *below]
    run(["cc", *flags, *places, *source, "-o", str(folder / "doomed")])


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def start(built: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start one of the programs; what still runs after the test is killed."""
    running: list[subprocess.Popen[bytes]] = []
    outputs: dict[int, BinaryIO] = {}

    def begin(name: str, *arguments: object, user: int | None = None) -> subprocess.Popen[bytes]:
        command = [str(built / name), *map(str, arguments)]
        output = tempfile.TemporaryFile()  # noqa: SIM115  # not a pipe: it would be full before anybody reads it
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, user=user, stdin=pipe, stdout=output, stderr=pipe)
        running.append(process)
        outputs[process.pid] = output
        process.output = output  # type: ignore[attr-defined]
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()
        outputs[process.pid].close()
