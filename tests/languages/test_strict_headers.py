"""Every header of the protocol, alone and together with the others, as strictly as compilers can be."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ringlog

INCLUDE = Path(ringlog.get_include())
HEADERS = sorted(f"ringlog/{path.name}" for path in (INCLUDE / "ringlog").glob("*.h"))
DIALECTS = [
    ("gcc", "c", "c11"),
    ("clang", "c", "c11"),
    ("g++", "c++", "c++17"),
    ("g++", "c++", "c++20"),
    ("clang++", "c++", "c++17"),
    ("clang++", "c++", "c++20"),
]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def check(compiler: str, language: str, standard: str, headers: list[str]) -> str:
    """What the compiler says, which should be nothing."""
    source = "".join(f'#include "{header}"\n' for header in headers) + "int nothing;\n"
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, f"-I{INCLUDE}", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=100)
    return done.stderr if done.stderr or done.returncode == 0 else f"exit code {done.returncode}"


@pytest.mark.parametrize(("compiler", "language", "standard"), DIALECTS)
def test_alone_and_together(compiler: str, language: str, standard: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    assert len(HEADERS) > 15
    sets = [*([header] for header in HEADERS), HEADERS, HEADERS[::-1]]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda each: check(compiler, language, standard, each), sets))
    assert [each for each in said if each] == []
