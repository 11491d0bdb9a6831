"""Which clock a wait goes by, where that takes a look at the code that was built."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import pytest

import ringlog
from ringlog import _core

NATIVE = Path(ringlog.get_include()).parent
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")


@needs_gcc
def test_without_sem_clockwait(tmp_path: Path) -> None:
    source = Path(__file__).with_name("sem_without_clockwait.c")
    program = tmp_path / "program"
    options = [
        "-std=c11",
        "-D_GNU_SOURCE",
        "-DRL_NO_SEM_CLOCKWAIT",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
    ]
    include = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    command = ["gcc", "-pthread", *options, *include, "-o", program, source, NATIVE / "wait.c"]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm")
def test_no_wait_of_ours_goes_by_the_clock_that_people_set() -> None:
    symbols = subprocess.run(
        ["nm", "-D", "--undefined-only", _core.__file__], capture_output=True, check=True
    )
    names = {line.split()[-1].split("@")[0] for line in symbols.stdout.decode().splitlines()}
    assert "sem_clockwait" in names
    by_realtime = {
        "sem_timedwait",
        "nanosleep",
        "usleep",
        "sleep",
        "select",
        "poll",
        "pthread_mutex_timedlock",
    }
    assert not names & by_realtime


@pytest.mark.parametrize("open_timeout", [-1, math.nan])
def test_an_open_timeout_that_never_ends(ring_path: str, open_timeout: float) -> None:
    with pytest.raises(ValueError, match="open_timeout"):
        ringlog.Reader(ring_path, open_timeout=open_timeout)
