"""The build of the core that has named points, for tests alone: the one that is installed has none.

    folder = built()   # put it in front of PYTHONPATH: `import ringlog` finds that build

It is made of the sources that are installed with the package, once for each state of them and each Python,
and kept in the user's cache directory. Needs a C compiler and Python's headers, and no setuptools.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
# As pyproject.toml has it for the core that is installed, but for the optimisation: nobody measures this
# build.
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-fvisibility=hidden", "-Wall", "-Wextra",
         "-Wno-missing-field-initializers", "-Wno-cast-function-type")  # fmt: skip
OURS = ("-O1", "-DRINGLOG_POINTS=1", "-fPIC", "-pthread")
KEPT = 8  # builds of other sources and Pythons: another checkout may be using them


class BuildFailed(RuntimeError):
    """The build of the core with named points could not be made; the message says what is missing."""


@functools.cache
def built() -> str:
    """A folder in which `ringlog` is the build with points. The first time that takes about ten seconds.

    Raises BuildFailed (no compiler, no headers of Python, no sources).
    """
    sources = sorted((PACKAGE / "_native").glob("*.c"))
    if PACKAGE / "_native" / "points.c" not in sources:
        raise BuildFailed(
            f"the core's C sources are not in {PACKAGE / '_native'}: reinstall ringlog with pip"
        )
    digest = hashlib.sha256(repr((sys.version, sysconfig.get_config_var("EXT_SUFFIX"), _compiler())).encode())
    for path in _sources():
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    parent = _cache()
    folder = parent / digest.hexdigest()[:24]
    with open(parent / "lock", "w") as lock:  # two runs of tests at once: one builds, the other waits
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _forget_old(parent)
            with tempfile.TemporaryDirectory(dir=parent) as scratch:
                made = Path(scratch) / "build"
                _build(made)
                made.rename(folder)
    return str(folder)


def _sources() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".c", ".h", ".pyi"):
            yield path


def _cache() -> Path:
    """A directory that is the user's own: of what lies there, code is run."""
    choices = [Path(tempfile.gettempdir()) / f"ringlog-points-{os.getuid()}"]
    with contextlib.suppress(RuntimeError):  # no home
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        choices.insert(0, Path(caches) / "ringlog" / "points")
    for choice in choices:
        with contextlib.suppress(OSError):
            choice.mkdir(mode=0o700, parents=True, exist_ok=True)
            if choice.stat().st_uid == os.getuid() and os.access(choice, os.W_OK | os.X_OK):
                return choice
    raise BuildFailed(f"no directory to keep the build in: neither of {', '.join(map(str, choices))}")


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


NEEDED = "to kill a writer at a named point the core is built a second time"


def _check_tools(headers: list[str]) -> None:
    compiler = _compiler()[0]
    if shutil.which(compiler) is None:
        raise BuildFailed(
            f"{NEEDED}, and the C compiler {compiler!r} is missing (Debian: apt-get install gcc libc6-dev)"
        )
    if not any((Path(folder) / "Python.h").exists() for folder in headers):
        version = "{}.{}".format(*sys.version_info)
        raise BuildFailed(
            f"{NEEDED}, and Python's headers are missing: {headers[0]}/Python.h "
            f"(Debian: apt-get install python{version}-dev)"
        )


def _build(folder: Path) -> None:
    headers = [sysconfig.get_path("include"), sysconfig.get_path("platinclude")]
    _check_tools(headers)
    shutil.copytree(PACKAGE, folder / "ringlog", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.o"))
    native = folder / "ringlog" / "_native"
    places = [native, native / "include", *headers]
    compile_one = [*_compiler(), *FLAGS, *OURS, *(f"-I{place}" for place in places), "-c"]
    files = sorted(native.glob("*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda file: _run([*compile_one, str(file), "-o", f"{file}.o"]), files))
    core = folder / "ringlog" / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    _run([*_compiler(), "-shared", "-pthread", *(f"{file}.o" for file in files), "-o", str(core)])
    for file in files:
        os.unlink(f"{file}.o")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BuildFailed(f"the build with points failed: {shlex.join(command)}\n{done.stderr[-4000:]}")


def _forget_old(parent: Path) -> None:
    builds = sorted(
        (path for path in parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in builds[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
