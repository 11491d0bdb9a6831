"""How fast are events kept on disk and found again: by a log, a buffered file, SQLite and LMDB?

Each contestant appends the same events, one call an event or many a call, to files of its own; then reads
all of them in order, and then single ones by their number, in an order that nobody can guess. Every event
read is compared. Then a ring is recorded, and what was recorded is replayed into another; the time in which
the ring is filled does not count. Nothing is synced. Contestants take turns, each in a process of its own.
With --limit the processes live in a control group with that much memory, page cache included, where the
machine allows it: choose more --megabytes than that, and files do not fit.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ringlog
from bench import memory_limit, method
from bench.log_kept import CONTESTANTS, Kept, Source, events, in_turn
from bench.processes import apart

SEEKS = 2000
RING = 16 << 20  # bytes
Rates = dict[str, float]


# ---- samples ----


def keep(kind: type[Kept], folder: Path, size: int, count: int, group: str | None) -> Rates:
    """Events a second: appended, scanned, found."""
    memory_limit.enter(group)
    kept, kinds = kind(folder), events(size)
    start = time.perf_counter()
    kept.append(kinds, count)
    appended = time.perf_counter() - start
    start = time.perf_counter()
    wrong = sum(data != want for data, want in zip(kept.scan(), in_turn(kinds, count), strict=True))
    scanned = time.perf_counter() - start
    find, dice = kept.finder(), random.Random(1)
    goals = [dice.randrange(count) for _ in range(SEEKS)]
    start = time.perf_counter()
    wrong += sum(find(goal) != kinds[goal % len(kinds)] for goal in goals)
    found = time.perf_counter() - start
    if wrong:
        raise SystemExit(f"{kind.name}: {wrong} events wrong")
    return {"append": count / appended, "scan": count / scanned, "seek": SEEKS / found}


def stream(kind: type[Kept], folder: Path, size: int, count: int, group: str | None) -> Rates:
    """Events a second: from a ring, and back into another."""
    memory_limit.enter(group)
    kept = kind(folder)
    for name in ("from", "to"):
        ringlog.create(folder / name, RING)
    with ringlog.Writer(folder / "from") as writer:
        source = Source(writer, events(size), count, RING // 2 // (size + 16))
        start = time.perf_counter()
        kept.record(folder / "from", source)
        recorded = time.perf_counter() - start - source.filling
    with ringlog.Writer(folder / "to") as writer:
        start = time.perf_counter()
        done = kept.replay(writer)
        replayed = time.perf_counter() - start
    for name in ("from", "to"):
        ringlog.unlink(folder / name)
    if done != count:
        raise SystemExit(f"{kind.name}: {done} of {count} events recorded and replayed")
    return {"record": count / recorded, "replay": count / replayed}


def sampled(kind: type[Kept], where: Path, size: int, count: int, group: str | None) -> Rates:
    rates: Rates = {}
    for what in (keep, stream) if kind.take is not Kept.take else (keep,):
        with tempfile.TemporaryDirectory(dir=where, prefix="log-") as folder:
            rates |= apart(what, kind, Path(folder), size, count, group)
    return rates


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench log", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 64], help="bytes an event (1024 64)")
    parser.add_argument("--megabytes", type=int, default=100, help="of data (100)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=None, metavar="MB", help="memory for each sample")
    parser.add_argument("--quick", action="store_true", help="one round of 2 MB, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.megabytes, given.rounds = 2, 1
    with memory_limit.limited(given.limit) as group:
        rows = [row for size in given.sizes for row in of_size(given, size, group)]
    record = {
        "machine": method.machine(given.dir),
        "parameters": {
            "megabytes": given.megabytes,
            "rounds": given.rounds,
            "limit": given.limit if group else None,
        },
        "rows": rows,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('log', record, given.json)}")
    return 0


def of_size(given: argparse.Namespace, size: int, group: str | None) -> list[dict[str, Any]]:
    count = given.megabytes * 1_000_000 // size
    there = [kind for kind in CONTESTANTS if not kind.needs or find_spec(kind.needs)]
    tasks: dict[str, Callable[[], Rates]] = {
        kind.name: lambda kind=kind: sampled(kind, given.dir, size, count, group)  # type: ignore[misc]
        for kind in there
    }
    samples = method.interleave(tasks, given.rounds)
    print(f"{size:,} bytes, {count:,} events; events a second, medians of {given.rounds} rounds\n")
    columns = ("append", "scan", "seek", "record", "replay")
    rows, lines = [], []
    for name, rates in samples.items():
        spreads = {c: method.Spread.of([r[c] for r in rates]) for c in columns if c in rates[0]}
        rows.append(
            {
                "method": name,
                "size": size,
                "rates": {c: s.record() for c, s in spreads.items()},
                "samples": rates,
            }
        )
        lines.append([name, *(f"{spreads[c].median:,.0f}" if c in spreads else "-" for c in columns)])
    lines += [[kind.name, *["not installed"] * len(columns)] for kind in CONTESTANTS if kind not in there]
    print(method.table(["Method", *columns], lines), end="\n\n", flush=True)
    return rows


__all__ = ["CONTESTANTS", "main"]
