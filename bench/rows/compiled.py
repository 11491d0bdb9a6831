"""Memory Mapped in Zig and in Go: programs of their own, compiled once and run anew each round.

Each program does what the Python rows do in this process: a pass to warm up, then the timed one, each into a
fresh file whose pages it has touched. It prints the nanoseconds of the second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from bench.method import machine
from bench.rows.check import check
from bench.rows.row import Job, NotInstalled, Row, Unavailable

HERE = Path(__file__).parent
# Zig's default target is this very processor, so what is compiled here is only good here.
ZIG = [sys.executable, "-m", "ziglang", "build-exe", "-O", "ReleaseFast", "-lc"]
GO = ["go", "build"]


def kept() -> Path:
    """Where compiled programs are kept from one run to the next."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "ringlog-bench"


@cache
def zig() -> Path:
    if importlib.util.find_spec("ziglang") is None:
        raise NotInstalled("Zig comes with `pip install ziglang`")
    return build(HERE / "zig" / "mapped.zig", "zig")


@cache
def go() -> Path:
    if shutil.which("go") is None:
        raise NotInstalled("there is no `go` on the path")
    return build(HERE / "go" / "mapped.go", "go")


def build(source: Path, language: str) -> Path:
    """The program that `source` compiles to: an earlier one, if nothing it depends on has changed."""
    here = machine()
    facts = [source.read_text(encoding="utf-8"), *ZIG, *GO, here[language], here["cpu"], here["kernel"]]
    program = kept() / f"{source.stem}-{language}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / "program"
        if language == "zig":
            command = [*ZIG, f"-femit-bin={made}", "--cache-dir", scratch, str(source)]
        else:
            command = [*GO, "-o", str(made), str(source)]
        offline = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=offline)
        if done.returncode != 0:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise Unavailable(f"does not compile: {reason}")
        made.rename(program)
    return program


def run(job: Job, program: Path, *options: str, summed: bool = True) -> int:
    """One round of a program; its file is checked as every row's is."""
    path = job.directory / "compiled.events"
    sources = job.directory / "sources"
    if not sources.exists():
        sources.write_bytes(b"".join(job.sources))
    numbers = [str(len(job.messages)), str(len(job.sources[0]))]
    command = [str(program), str(path), str(sources), *numbers, job.caches, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program.name} failed: {done.stderr.strip()}")
    check(path.read_bytes(), job.messages, summed=summed)
    path.unlink()
    return int(done.stdout)


ROWS = [
    Row(
        "Go Memory Mapped",
        "syscall.Mmap under a sync.Mutex, hash/crc32",
        lambda job: run(job, go()),
        go,
    ),
    Row(
        "Zig Memory Mapped",
        "one thread without a lock, CRC-32 by table, sixteen bytes at a time",
        lambda job: run(job, zig(), "checksum"),
        zig,
    ),
    Row(
        "Zig Memory Mapped, no checksum",
        "the same with 0 for a checksum",
        lambda job: run(job, zig(), "plain", summed=False),
        zig,
    ),
]
