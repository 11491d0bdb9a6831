"""The build of the core that has named points: for tests alone, made aside from whatever is installed.

    folder = points_build.built()   # put it in front of PYTHONPATH: `import ringlog` finds that build

It is made once for each state of the sources and kept in the machine's temporary directory.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ringlog

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
PACKAGE = Path(ringlog.__file__).parent
PAIR = ("invalid", "sequence", "record", "stored")  # steps of a pair's store
OF_LOGS = "log_"  # what the names of points begin with that only logs pass
EXTRA_SOURCES = ("ringlog/_native/points.c", "ringlog/_native/points_module.c")
# In a process of its own, in the folder with the copy. As pyproject.toml says it, but for the define, those
# two sources, and less optimisation: this build is made often, and nobody measures it.
BUILD = """
import sys
from setuptools import Distribution, Extension
try:
    import tomllib
except ImportError:
    import tomli as tomllib
with open(sys.argv[1], "rb") as stream:
    [declared] = tomllib.load(stream)["tool"]["setuptools"]["ext-modules"]
flags = [flag for flag in declared["extra-compile-args"] if not flag.startswith("-O")]
extension = Extension(
    declared["name"],
    declared["sources"] + sys.argv[2:],
    include_dirs=declared["include-dirs"],
    define_macros=[("RINGLOG_POINTS", "1")],
    extra_compile_args=[*flags, "-O1"],
)
build = Distribution({"name": "ringlog", "ext_modules": [extension]}).get_command_obj("build_ext")
build.inplace = True
build.ensure_finalized()
build.run()
"""


def names() -> list[str]:
    """Every point, as points.h lists them."""
    text = (PACKAGE / "_native/include/ringlog/points.h").read_text()
    table = text[text.index("#define RL_POINTS(X)") : text.index("#define RL_POINT_NUMBER")]
    steps = re.findall(r"X\(pair##_(\w+)\)", text)
    found = []
    for pair, name in re.findall(r"RL_POINTS_OF_PAIR\(X, (\w+)\)|\bX\((\w+)\)", table):
        found += [f"{pair}_{step}" for step in steps] if pair else [name]
    return found


def _sources() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".c", ".h", ".pyi"):
            yield path
    yield PROJECT
    yield Path(__file__)


@functools.cache
def built() -> str:
    """A folder in which `ringlog` is the build with points. The first time that takes about ten seconds."""
    digest = hashlib.sha256(sys.version.encode() + str(sysconfig.get_config_var("EXT_SUFFIX")).encode())
    for path in _sources():
        digest.update(path.name.encode() + path.read_bytes())
    parent = Path(tempfile.gettempdir()) / f"ringlog-points-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{parent} is somebody else's")
    folder = parent / digest.hexdigest()[:24]
    with open(parent / "lock", "w") as lock:  # two runs of the tests at once: one builds, the other waits
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _forget_old(parent)
            with tempfile.TemporaryDirectory(dir=parent) as scratch:
                _build(Path(scratch))
                os.rename(scratch, folder)
                os.mkdir(scratch)  # for its own removal
    return str(folder)


def _build(folder: Path) -> None:
    shutil.copytree(PACKAGE, folder / "ringlog", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.o"))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(PROJECT), *EXTRA_SOURCES],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the build with points failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    shutil.rmtree(folder / "build", ignore_errors=True)


def _forget_old(parent: Path, keep: int = 8) -> None:
    """Builds of older sources; not the newest, which another checkout may be using."""
    builds = sorted(
        (path for path in parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in builds[:-keep]:
        shutil.rmtree(path, ignore_errors=True)
