"""libFuzzer on the headers: building the targets, and their corpora.

A kept corpus is one text file a target, a line of base64 an input: small, and a change shows as lines.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ringlog

HERE = Path(__file__).parent
TARGETS = ("read", "write", "recover")
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-g"]
SANITIZERS = "address,undefined"
LONGEST_INPUT = 600
SLOWEST_INPUT = 20  # seconds; most take a tenth of a millisecond


def compiler() -> str | None:
    """A C compiler that has the sanitizers, for replaying."""
    for name in ("clang", "gcc", "cc"):
        if found := shutil.which(name):
            return found
    return None


def build(target: str, folder: Path, *, fuzzer: bool) -> Path:
    """The program of a target: with libFuzzer, or one that only replays the files that it is given."""
    program = folder / f"fuzz_{target}"
    tool = "clang" if fuzzer else compiler()
    if tool is None:
        raise FileNotFoundError("no C compiler")
    how = (
        ["-O2", f"-fsanitize=fuzzer,{SANITIZERS}"]
        if fuzzer
        else ["-O0", f"-fsanitize={SANITIZERS}", "-DREPLAY"]
    )
    source = HERE / f"fuzz_{target}.c"
    include = f"-I{ringlog.get_include()}"
    subprocess.run(
        [tool, *FLAGS, *how, "-fno-sanitize-recover=all", include, str(source), "-o", str(program)],
        check=True,
    )
    return program


def kept(target: str) -> Path:
    return HERE / "corpus" / f"{target}.b64"


def unpack(target: str, folder: Path) -> list[Path]:
    """The kept inputs of a target, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, line in enumerate(kept(target).read_text().split() if kept(target).exists() else []):
        files.append(folder / f"kept-{number:04}")
        files[-1].write_bytes(base64.b64decode(line))
    return files


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ringlog-fuzz-") as name:
        yield Path(name)


def replay(target: str) -> bool:
    """Every kept input once. False, and it was printed, if one fails."""
    with _scratch() as folder:
        files = unpack(target, folder / "inputs")
        # Not with what may be preloaded into Python: another compiler's sanitizers.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        done = subprocess.run(
            [build(target, folder, fuzzer=False), *files],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
        )
        print(f"{target}: {done.stdout}{done.stderr}", end="", flush=True)
        return done.returncode == 0 and done.stdout == f"{len(files)} inputs\n" and len(files) > 100


def fuzz(target: str, seconds: float, work: Path | None = None) -> bool:
    """Fuzz from the kept corpus on. What is new stays in `work`, if given."""
    with _scratch() as folder:
        program = build(target, folder, fuzzer=True)
        unpack(target, folder / "kept")
        fresh = (work or folder) / target
        fresh.mkdir(parents=True, exist_ok=True)
        found = (work or Path.cwd()) / f"found-{target}-"
        done = subprocess.run(
            [
                program,
                f"-max_total_time={max(1, round(seconds))}",
                f"-max_len={LONGEST_INPUT}",
                f"-timeout={SLOWEST_INPUT}",
                f"-artifact_prefix={found}",
                "-print_final_stats=1",
                fresh,
                folder / "kept",
            ],
            stderr=subprocess.PIPE,
            timeout=seconds + 120,
            check=False,
            env=os.environ | {"UBSAN_OPTIONS": "print_stacktrace=1"},
        )
        said = done.stderr.decode(errors="replace")
        runs = re.search(r"number_of_executed_units: (\d+)", said)
        last = re.findall(r"cov: \d+ ft: \d+ corp: \S+", said)
        print(f"{target}: {runs[1] if runs else '?'} executions, {last[-1] if last else ''}", flush=True)
        if done.returncode:
            print(said[-8000:], flush=True)
        return done.returncode == 0


def keep(target: str, work: Path) -> bool:
    """Minimise the kept corpus and `work` into the kept one."""
    with _scratch() as folder:
        program = build(target, folder, fuzzer=True)
        unpack(target, folder / "kept")
        merged = folder / "merged"
        merged.mkdir()
        sources = [folder / "kept", work / target]
        done = subprocess.run(
            [program, "-merge=1", f"-max_len={LONGEST_INPUT}", merged, *sources],
            stderr=subprocess.DEVNULL,
            timeout=600,
            check=False,
        )
        inputs = sorted((file.read_bytes() for file in merged.iterdir()), key=lambda data: (len(data), data))
        kept(target).parent.mkdir(exist_ok=True)
        kept(target).write_text("".join(base64.b64encode(data).decode() + "\n" for data in inputs))
        print(f"{target}: {len(inputs)} inputs kept, {kept(target).stat().st_size} bytes")
        return done.returncode == 0
