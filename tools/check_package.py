"""Is what would be published whole? Run in a checkout; needs the extra `package`. Takes about a minute.

    python tools/check_package.py [FOLDER]      # where the two files are left; otherwise they are removed

1. An sdist is made of the checkout, and a wheel of that sdist: the wheel can only have what the sdist has.
2. twine reads their descriptions as a package index would, strictly; check-wheel-contents looks at the wheel.
3. The sdist has what the tests, the documentation and a build need.
4. The wheel is installed into a fresh environment, and there an event goes from one process to another.
5. Tests of the sdist are run in that environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = (
    *("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "mkdocs.yml"),
    *("tools/build_backend.py", "tools/check_installed.py", "tools/site_hooks.py"),
    *("ringlog/_native/module.c", "ringlog/_native/core.h", "ringlog/_native/include/ringlog/layout.h"),
    *("tests/conftest.py", "tests/native/run.sh", "tests/model/publish.pml", "tests/fuzz/fuzz_read.c"),
    *("docs/index.md", "docs/decisions/README.md", "demos/fan_out.py", "bench/__main__.py"),
)
QUICK = ("tests/format", "tests/api")
began = time.monotonic()


def step(what: str) -> None:
    print(f"[{time.monotonic() - began:5.1f} s] {what}", flush=True)


def run(*command: object, folder: Path = ROOT) -> None:
    """Quietly, unless it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nfailed: {' '.join(map(str, command))}")


def only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    assert len(found) == 1, f"{pattern} in {folder}: {found}"
    return found[0]


def check(dist: Path, scratch: Path) -> None:
    step("an sdist, and a wheel of it")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT)
    sdist, wheel = only(dist, "*.tar.gz"), only(dist, "*.whl")

    step("their descriptions and contents")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    run(sys.executable, "-m", "check_wheel_contents", "--config", ROOT / "pyproject.toml", wheel)
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        if hasattr(tarfile, "data_filter"):
            archive.extractall(scratch, filter="data")
        else:
            archive.extractall(scratch)
    source = scratch / sdist.name.removesuffix(".tar.gz")
    missing = [name for name in NEEDED if f"{source.name}/{name}" not in names]
    built = [name for name in names if name.endswith((".so", ".o", ".pyc")) or "/build/" in name]
    if missing or built:
        sys.exit(f"the sdist lacks {missing}, and has {built} which is made and not written")

    step("installed into a fresh environment")
    venv.create(scratch / "venv", with_pip=True)
    python = scratch / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", f"{wheel}[test]", folder=scratch)
    outside = scratch / "outside"
    outside.mkdir()
    run(python, source / "tools" / "check_installed.py", folder=outside)

    step(f"tests of the sdist: {' '.join(QUICK)}")
    run(python.parent / "pytest", "-q", "-p", "no:cacheprovider", *QUICK, folder=source)
    sizes = " and ".join(f"{file.name} ({file.stat().st_size:,} bytes)" for file in (sdist, wheel))
    step(f"{sizes} are whole")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ringlog-package-") as scratch:
        kept = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None
        with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="ringlog-dist-") as dist:
            check(Path(dist), Path(scratch))


main()
