"""How far is a Python loop over `append` from a bare C loop that does the same bytes?

Both take the lock (semaphore and owner word), read the clock, copy and checksum in one pass, publish and
let go, for every event, over the same headers; the second pair does so for every batch. Each sample is the
second of two passes in a process of its own, on a ring of its own; the four take turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import ringlog
from bench import method

NATIVE = Path(ringlog.get_include()).parent
DISTINCT = 16  # contents: as many as PYTHON makes
PYTHON = """
import sys, time, ringlog
path, size, events, batch = sys.argv[1], *map(int, sys.argv[2:])
payloads = [bytes([97 + k]) * size for k in range(16)]

def single(append):
    turns = payloads * (events // 16)
    start = time.perf_counter_ns()
    for payload in turns:
        append(payload)
    return time.perf_counter_ns() - start

def batches(append_many):
    items = payloads * (batch // 16)
    start = time.perf_counter_ns()
    for _ in range(events // batch):
        append_many(items)
    return time.perf_counter_ns() - start

with ringlog.Writer(path) as writer:
    for _ in range(2):
        took = single(writer.append) if batch == 1 else batches(writer.append_many)
print(took / events)
"""


def is_below_python(source: Path) -> bool:
    """Does a source of the package know the operating system, and not Python?"""
    return '\n#include "platform.h"' in source.read_text(encoding="utf-8")


def build(folder: Path, name: str = "floor") -> Path:
    """Compile a C loop from the headers and sources that the installed package carries."""
    program = folder / name
    source = Path(__file__).parent / "native" / f"{name}.c"
    command = ["gcc", "-std=c11", "-O3", "-D_GNU_SOURCE", f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    below = [str(path) for path in NATIVE.glob("*.c") if is_below_python(path)]
    subprocess.run([*command, "-o", str(program), str(source), *below, "-pthread"], check=True)
    return program


def sample(command: list[str], path: Path, capacity: int, numbers: list[int]) -> float:
    """Nanoseconds per event of one run on a fresh ring."""
    ringlog.create(path, capacity)
    try:
        identity = path.read_bytes()[144:160].hex() if command[0] != sys.executable else ""
        where = [str(path), f"/ringlog-{identity}"] if identity else [str(path)]
        done = subprocess.run(
            [*command, *where, *map(str, numbers)], capture_output=True, text=True, check=True
        )
        return float(done.stdout)
    finally:
        ringlog.unlink(path)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench floor", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="bytes an event (1024)")
    parser.add_argument("--events", type=int, default=160_000, help="events a pass (160,000)")
    parser.add_argument("--batch", type=int, default=512, help="events a batch (512)")
    parser.add_argument("--capacity", type=int, default=16 << 20, help="bytes of the ring (16 MiB)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="two rounds, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    rounds = 2 if given.quick else given.rounds
    batch = max(16, given.batch // 16 * 16)
    events = max(1, given.events // batch // 16) * batch * 16
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        ring = Path(folder) / "ring"
        floor, python = [str(build(Path(folder)))], [sys.executable, "-c", PYTHON]
        contestants = {
            name: lambda c=command, n=numbers: sample(c, ring, given.capacity, [given.size, events, *n])
            for name, command, numbers in (
                ("C, an event at a time", floor, [1, DISTINCT]),
                ("append", python, [1]),
                ("C, batches", floor, [batch, DISTINCT]),
                ("append_many", python, [batch]),
            )
        }
        samples = method.interleave(contestants, rounds)
    print(f"{given.size} bytes an event, {events:,} events a pass, batches of {batch}, {rounds} rounds\n")
    spreads = {name: method.Spread.of(values) for name, values in samples.items()}
    single = spreads["C, an event at a time"].median
    rows = [
        [name, f"{s.median:.1f}", f"{s.low:.1f} to {s.high:.1f}", f"{single / s.median:.2f}"]
        for name, s in spreads.items()
    ]
    print(method.table(["Method", "ns an event", "quartiles", "of the C rate"], rows))
    ratios = {
        "append / C, an event at a time": single / spreads["append"].median,
        "append_many / C, an event at a time": single / spreads["append_many"].median,
        "append_many / C, batches": spreads["C, batches"].median / spreads["append_many"].median,
    }
    print()
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}")
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"size": given.size, "events": events, "batch": batch, "rounds": rounds},
        "ns_per_event": {name: s.record() for name, s in spreads.items()},
        "rate_ratios": {name: round(ratio, 4) for name, ratio in ratios.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('floor', record, given.json)}")
    return 0
