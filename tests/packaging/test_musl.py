"""Wheels for musl's systems (Alpine) are configured: the core has to be built by musl, and to run with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import ringlog

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not shutil.which("musl-gcc"), reason="needs musl-gcc (Debian: musl-tools)"),
]
NATIVE = Path(ringlog.get_include()).parent
WITHOUT_PYTHON = ("fault.c", "mapping.c", "segment.c", "segment_pages.c", "wait.c", "waker.c", "window.c")
KERNEL = ("linux", "asm", "asm-generic")  # headers of the kernel, which musl-gcc does not look for
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers")


def _kernel_headers(folder: Path) -> Path:
    folder.mkdir()
    places = [Path("/usr/include")]
    target = subprocess.run(
        ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
    ).stdout.strip()
    places.append(Path("/usr/include", target))
    for name in KERNEL:
        found = [place / name for place in places if (place / name).is_dir()]
        if not found:
            pytest.skip(f"no headers of the kernel: {name}")
        (folder / name).symlink_to(found[0])
    return folder


def _compile(*words: object) -> None:
    done = subprocess.run(
        ["musl-gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_core_is_loaded_and_works_with_musl(tmp_path: Path) -> None:
    headers = _kernel_headers(tmp_path / "kernel")
    core, program = tmp_path / "core.so", tmp_path / "program"
    sources = [NATIVE / name for name in WITHOUT_PYTHON]
    include = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}", "-idirafter", headers]
    _compile("-shared", "-fPIC", *WARNINGS, *include, *sources, "-o", core)
    _compile(Path(__file__).with_name("musl.c"), "-o", program)
    done = subprocess.run(
        [program, core, tmp_path / "file"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stdout
