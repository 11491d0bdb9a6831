"""Where does the time of one `append` go, part by part?

A C loop over the same headers with ever more of an append's parts, and Python loops that do nothing, call
a native function that does next to nothing, and append. What a part costs is the distance to the loop
without it. All take turns; each sample is the second of two passes in a process of its own, on a ring of
its own that fits into a core's cache, so that no part waits for memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import method
from bench.floor import build, sample

PARTS = (
    "copy and checksum, into the ring",
    "the publication: head, count, checks",
    "the owner word: one compare-and-swap",
    "the semaphore: sem_trywait, sem_post",
    "the clock",
    "a look whether a reader sleeps",
)
LOOPS = ("a Python loop that does nothing", "a call of a native function", "append")
PYTHON = """
import sys, time, ringlog
path, size, events, loop = sys.argv[1], *map(int, sys.argv[2:])
items = [bytes([97 + k]) * size for k in range(16)] * (events // 16)

def nothing():
    for item in items:
        pass

def calls(function):
    for item in items:
        function(item)

with ringlog.Writer(path) as writer:
    for _ in range(2):
        start = time.perf_counter_ns()
        if loop == 0:
            nothing()
        else:
            calls(id if loop == 1 else writer.append)
        took = time.perf_counter_ns() - start
print(took / events)
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench parts", description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="bytes an event (64)")
    parser.add_argument("--events", type=int, default=1 << 20, help="events a pass (1,048,576)")
    parser.add_argument("--capacity", type=int, default=1 << 20, help="bytes of the ring (1 MiB)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="two rounds, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    rounds = 2 if given.quick else given.rounds
    numbers = [given.size, given.events // 16 * 16]
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        ring = Path(folder) / "ring"
        native, python = [str(build(Path(folder), "parts"))], [sys.executable, "-c", PYTHON]
        commands = {
            **{f"C, {k} parts": (native, k) for k in range(len(PARTS) + 1)},
            **{name: (python, k) for k, name in enumerate(LOOPS)},
        }
        contestants = {
            name: lambda c=command, k=which: sample(c, ring, given.capacity, [*numbers, k])
            for name, (command, which) in commands.items()
        }
        samples = method.interleave(contestants, rounds)
    spreads = {name: method.Spread.of(values) for name, values in samples.items()}
    native_ns = [spreads[f"C, {k} parts"].median for k in range(len(PARTS) + 1)]
    loops = [spreads[name].median for name in LOOPS]
    costs = {name: native_ns[k + 1] - native_ns[k] for k, name in enumerate(PARTS)}
    costs["the Python loop"] = loops[0]
    costs["the call, and an int to return"] = loops[1] - loops[0]
    costs["the rest: arguments, turns, checks of the object"] = loops[2] - loops[1] - native_ns[-1]
    print(f"{given.size} bytes an event, {numbers[1]:,} events a pass, {rounds} rounds\n")
    rows = [[name, f"{ns:.1f}"] for name, ns in [*costs.items(), ("append, in a loop", loops[2])]]
    print(method.table(["Part", "ns an event"], rows))
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"size": given.size, "events": numbers[1], "rounds": rounds},
        "parts_ns": {name: round(ns, 2) for name, ns in costs.items()},
        "ns_per_event": {name: s.record() for name, s in spreads.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('parts', record, given.json)}")
    return 0
