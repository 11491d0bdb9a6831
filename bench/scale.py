"""How does ringlog's cost grow with readers, ring, events, checksums and pages?

Throughput (of each reader, or of the producer where nobody reads) and the processor time that an event costs
its producer, while one factor is varied at a time. The default is one lossless reader of a 16 MiB ring, with
events of 64 bytes and of 1 KiB, an append at a time on one side and iteration on the other. Measured from the
first append to the moment when the last reader has its last event (bench/crew.py). All shapes take turns.

Huge pages are had from a tmpfs of our own, mounted for the run, since the one at /dev/shm does not give them
unless it is told to; that needs root. What was mapped by huge pages indeed is measured, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import method
from bench.crew import Crew, Run, Shape, crew

READERS = [0, 1, 2, 4, 8]
CAPACITIES = [256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]
SIZES = [0, 8, 64, 512, 4 << 10, 32 << 10, 256 << 10, 2 << 20, 16 << 20]
LARGE = [16 << 20, 64 << 20, 256 << 20]  # rings to compare pages with; aligned for huge ones from 64 MiB on
SMALL, USUAL = Shape(size=64), Shape(size=1024)
WIDE = Shape(capacity=64 << 20)  # a ring that has room for events of 16 MiB
BYTES = {"64 B": SMALL, "1 KiB": USUAL}

Lines = dict[str, list[Shape]]


@dataclass(frozen=True)
class Measure:
    """What of a run is asked."""

    field: str  # of Run
    unit: str


@dataclass(frozen=True)
class Axis:
    """The factor that is varied."""

    label: str
    x: list[int]


@dataclass(frozen=True)
class Series:
    """One question; its lines have a shape for each x."""

    name: str
    question: str
    measure: Measure
    axis: Axis
    lines: Lines


RATE = Measure("rate", "events/s")
CPU = Measure("producer_cpu", "ns of CPU an event")
LOST = Measure("lost", "part lost")
HAD = Measure("huge", "part of the ring")


def by_readers(counts: list[int], kinds: tuple[bool, ...] = (True, False)) -> Lines:
    return {
        f"{label}, {'lossless' if lossless else 'lossy'}": [
            replace(shape, readers=n, lossless=lossless or n == 0) for n in counts
        ]
        for label, shape in BYTES.items()
        for lossless in kinds
    }


def by_capacity(readers: int) -> Lines:
    ending = "" if readers else ", no reader"
    return {
        label + ending: [replace(shape, capacity=each, readers=readers) for each in CAPACITIES]
        for label, shape in BYTES.items()
    }


def by_size() -> Lines:
    ways = {
        "iteration, verified": WIDE,
        "iteration, not verified": replace(WIDE, verify=False),
        "view, not verified": replace(WIDE, verify=False, view=True),
    }
    return {label: [replace(way, size=size) for size in SIZES] for label, way in ways.items()}


def by_pages() -> Lines:
    return {
        f"{label}, {'huge' if huge else '4 KiB'} pages": [
            replace(shape, capacity=each, huge=huge) for each in LARGE
        ]
        for label, shape in BYTES.items()
        for huge in (False, True)
    }


def series(huge: bool) -> list[Series]:
    """All questions; those about huge pages only where they can be had."""
    readers, size = Axis("readers", READERS), Axis("bytes an event", SIZES)
    ring, large = Axis("bytes of the ring", CAPACITIES), Axis("bytes of the ring", LARGE)
    some, some_lossy = Axis("readers", READERS[1:]), by_readers(READERS[1:], (False,))
    rings = by_capacity(1) | by_capacity(0)
    pages = by_pages()
    asked = [
        (
            "readers_rate",
            "What does each reader get when there are more?",
            RATE,
            readers,
            by_readers(READERS),
        ),
        ("readers_producer", "What does a reader cost the producer?", CPU, readers, by_readers(READERS)),
        ("readers_lost", "What do readers lose that nobody waits for?", LOST, some, some_lossy),
        ("ring_rate", "How much faster is a ring that the caches hold?", RATE, ring, by_capacity(1)),
        ("ring_producer", "What does the size of the ring cost the producer?", CPU, ring, rings),
        ("size_rate", "How many events of each size go through a ring of 64 MiB?", RATE, size, by_size()),
        ("size_producer", "What does the size of an event cost the producer?", CPU, size, by_size()),
        ("pages_rate", "What do huge pages bring?", RATE, large, pages),
        ("pages_producer", "What do huge pages save the producer?", CPU, large, pages),
        ("pages_had", "How much of the ring lay in huge pages?", HAD, large, pages),
    ]
    return [Series(*each) for each in asked if huge or each[4] is not pages]


@contextlib.contextmanager
def huge_pages() -> Iterator[Path | str]:
    """A folder in a tmpfs that gives huge pages, or why there is none."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
    if os.geteuid() != 0:
        yield "only root can mount a file system that gives huge pages"
        return
    if not setting.exists() or "[deny]" in setting.read_text(encoding="utf-8"):
        yield f"the kernel gives none to shared memory ({setting})"
        return
    with tempfile.TemporaryDirectory(prefix="huge-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "huge=always,size=1g,mode=0700", "tmpfs", folder]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"can't be mounted: {done.stderr.strip()}"
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def told(asked: Series, samples: dict[Shape, list[Run]]) -> dict[str, Any]:
    """A series as it is saved: medians and quartiles of each line, in the order of x."""
    lines = []
    for label, shapes in asked.lines.items():
        taken = [[getattr(run, asked.measure.field) for run in samples[shape]] for shape in shapes]
        spreads = [method.Spread.of(each) for each in taken]
        lines.append(
            {
                "label": label,
                "median": [round(s.median, 4) for s in spreads],
                "low": [round(s.low, 4) for s in spreads],
                "high": [round(s.high, 4) for s in spreads],
                "samples": taken,
            }
        )
    return {
        "name": asked.name,
        "question": asked.question,
        "unit": asked.measure.unit,
        "x": asked.axis.x,
        "x_label": asked.axis.label,
        "lines": lines,
    }


def first_two(asked: Series) -> Series:
    lines = {label: shapes[:2] for label, shapes in asked.lines.items()}
    return replace(asked, axis=replace(asked.axis, x=asked.axis.x[:2]), lines=lines)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def shown(record: dict[str, Any]) -> str:
    """A table of a saved series: a row for each x, a column for each line."""
    head = [f"{record['x_label']} \\ {record['unit']}", *(line["label"] for line in record["lines"])]
    rows = [
        [f"{x:,}", *(number(line["median"][place]) for line in record["lines"])]
        for place, x in enumerate(record["x"])
    ]
    return f"{record['question']}\n\n{method.table(head, rows)}\n"


def caches() -> dict[str, int]:
    """Bytes of a core's caches, by level, as the kernel tells them; those of instructions left out."""
    found = {}
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((cache / word).read_text().strip() for word in ("level", "type", "size"))
        if kind != "Instruction" and size.endswith("K"):
            found[f"L{level}"] = int(size[:-1]) << 10
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument(
        "--quick", action="store_true", help="one round of the first two of each, and no JSON unless --json"
    )
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    rounds = 1 if given.quick else given.rounds
    ran_on = method.machine(given.dir)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what we have mounted goes with us
    with contextlib.ExitStack() as stack:
        folders = {False: Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.dir)))}
        huge = stack.enter_context(huge_pages())
        if isinstance(huge, Path):
            folders[True] = huge
        asked = series(True in folders)
        if given.quick:
            asked = [first_two(each) for each in asked]
        shapes = dict.fromkeys(shape for each in asked for line in each.lines.values() for shape in line)
        runners: Crew = stack.enter_context(crew(max(READERS), folders))
        names = {str(shape): shape for shape in shapes}
        samples = method.interleave(
            {name: partial(runners.run, shape) for name, shape in names.items()}, rounds
        )
    taken = {shape: samples[name] for name, shape in names.items()}
    saved = [told(each, taken) for each in asked]
    print(f"16 MiB ring, 1 lossless reader, 64 B and 1 KiB events unless said otherwise; {rounds} rounds\n")
    for each in saved:
        print(shown(each))
    pages = "measured" if True in folders else str(huge)
    print(f"huge pages: {pages}")
    record = {
        "machine": ran_on,
        "parameters": {"rounds": rounds, "caches": caches(), "huge_pages": pages},
        "series": saved,
    }
    if given.json or not given.quick:
        print(f"written to {method.save('scale', record, given.json)}")
    return 0
