"""How everything here is measured: interleaved rounds, medians with their spread, and what they ran on.

A machine drifts while it is measured (clock rate, neighbours, caches). Taking turns spreads the drift over
all contestants alike, where one contestant's runs in a block would keep it for one of them.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

Sample = TypeVar("Sample")
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Spread:
    """The middle and the width of some samples: median, quartiles, extremes."""

    median: float
    low: float
    high: float
    least: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        if len(samples) == 1:
            return cls(*[samples[0]] * 5)
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(median, low, high, min(samples), max(samples))

    def record(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def turns(names: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """The order of each round: rotated by one a round, and every other round backwards.

    The rotation gives everybody every place; the turning round gives nobody always the same predecessor.
    """
    for number in range(rounds):
        start = number % len(names)
        order = [*names[start:], *names[:start]]
        yield order[::-1] if number % 2 else order


def interleave(contestants: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """One sample of each contestant a round; sample `i` of all of them stems from the same round."""
    samples: dict[str, list[Sample]] = {name: [] for name in contestants}
    for number, order in enumerate(turns(list(contestants), rounds), start=1):
        for name in order:
            progress(f"round {number}/{rounds}: {name}")
            samples[name].append(contestants[name]())
    progress("")
    return samples


def progress(text: str) -> None:
    """One line that is overwritten by the next; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well as plain text: the first column left, the others right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = (
        "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|"
    )
    return "\n".join([line(head), rule, *map(line, rows)])


def machine(directory: Path | None = None) -> dict[str, str]:
    """What the figures hang on: the processor, the kernel, the versions, the file system."""
    record = {
        "cpu": _cpu(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "cores": str(len(os.sched_getaffinity(0))),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "gcc": _says("gcc", "-dumpfullversion"),
        "zig": _installed("ziglang"),
        "go": _says("go", "env", "GOVERSION"),
        "ringlog": _installed("ringlog"),
    }
    if directory is not None:
        record["file system"] = f"{_file_system(directory)} at {directory}"
    return record


def save(verb: str, record: Mapping[str, Any], path: Path | None = None) -> Path:
    """Write a benchmark's record as JSON: what it ran on, its parameters, every sample."""
    path = path or RESULTS / f"{verb}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path.write_text(
        json.dumps({"verb": verb, "measured": measured, **record}, indent=1) + "\n", encoding="utf-8"
    )
    return path


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name") or facts.get("CPU part") or platform.processor() or "unknown"


def _file_system(directory: Path) -> str:
    """The type of the file system that holds a directory: that of the longest mount point above it."""
    target = str(directory.resolve())
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, where, what, *_ = line.split()
        above = target == where or target.startswith(where.rstrip("/") + "/")
        if above and len(where) >= len(best):
            best, kind = where, what
    return kind


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _says(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
