"""What does a seek cost in a log of 10,000, a million, 100 million events, and how much memory a scan?

Seeks by sequence and by time, each with the read of the event there, at random over the whole log, in a
process of its own; and the first seek where there is no index, which it makes again. Then the log is scanned
by a process that has a fourth of its bytes as memory, page cache included, where the machine has control
groups; its proportional set size (PSS) is looked at as it goes on.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ringlog
from bench import memory_limit, method
from bench.processes import apart

SIZE = 16  # bytes an event: 32 with its entry
SEEKS = 2000
LOOKS = 50  # at the memory, during a scan
TIME, STEP = 1_700_000_000_000_000_000, 1000  # of the first event, and between two calls, ns
TOGETHER = 10_000  # events in a call, of one time


def make(path: Path, count: int) -> None:
    """Event k holds k, and was published in the call k // TOGETHER."""
    with ringlog.LogWriter(path, segment_bytes=256 << 20) as writer:
        for first in range(0, count, TOGETHER):
            rows = np.arange(first, min(first + TOGETHER, count), dtype="<u8")
            writer.append_array(np.stack([rows, ~rows], axis=1), timestamp=TIME + first // TOGETHER * STEP)


def seeks(path: Path, count: int) -> dict[str, float]:
    """Microseconds: of one seek and its read, and of the first one when there is no index."""
    dice = random.Random(1)
    goals = [dice.randrange(count) for _ in range(SEEKS)]
    with ringlog.LogReader(path) as reader:

        def number() -> int:
            return int.from_bytes(reader.read(0).data[:8], "little")

        reader.seek(goals[0])
        begin = time.perf_counter()
        for goal in goals:
            reader.seek(goal)
            if number() != goal:
                raise SystemExit(f"not event {goal}")
        by_sequence = time.perf_counter() - begin
        moments = [_moment(goal) for goal in goals]
        begin = time.perf_counter()
        for goal, moment in zip(goals, moments, strict=True):
            reader.seek(moment)
            if number() != goal // TOGETHER * TOGETHER:
                raise SystemExit(f"not the first event of {moment}")
        by_time = time.perf_counter() - begin
    for index in path.glob("*.index"):
        index.unlink()
    begin = time.perf_counter()
    with ringlog.LogReader(path, start=count // 2) as reader:
        reader.read(0)
    first = time.perf_counter() - begin
    return {
        "by sequence": by_sequence / SEEKS * 1e6,
        "by time": by_time / SEEKS * 1e6,
        "no index": first * 1e6,
    }


def _moment(goal: int) -> Any:
    """A datetime has microseconds, and so have the calls."""
    from datetime import datetime, timedelta, timezone

    since = timedelta(microseconds=goal // TOGETHER * (STEP // 1000))
    return datetime.fromtimestamp(TIME // 10**9, timezone.utc) + since


def scan(path: Path, count: int, group: str | None) -> dict[str, Any]:
    """Read all by batches. MB of PSS: before, at most, in the end; of which the log's own pages at most."""
    memory_limit.enter(group)
    looks = [_memory(path)]
    begin = time.perf_counter()
    read, every = 0, max(1, count // LOOKS)
    with ringlog.LogReader(path) as reader:
        try:
            while True:
                batch = reader.read_batch()
                read += len(batch)
                if read // every != (read - len(batch)) // every:
                    looks.append(_memory(path))
        except ringlog.StreamEnded:
            pass
    seconds = time.perf_counter() - begin
    if read != count:
        raise SystemExit(f"{read} of {count} events read")
    total, ours = zip(*looks, strict=True)
    return {
        "rate": count / seconds,
        "before": total[0],
        "most": max(total),
        "end": total[-1],
        "log": max(ours),
    }


def _memory(path: Path) -> tuple[float, float]:
    """MB of PSS: of the process, and of what it has mapped of the log."""
    total = ours = 0
    mine = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        first, _, rest = line.partition(" ")
        if not first.endswith(":"):
            mine = str(path) in rest
        elif first == "Pss:":
            total += int(rest.split()[0])
            ours += int(rest.split()[0]) if mine else 0
    return total / 1000, ours / 1000


def of_count(where: Path, count: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(dir=where, prefix="log-"))
    try:
        path = folder / "log"
        apart(make, path, count)
        size = sum(each.stat().st_size for each in path.glob("*.events"))
        indexes = sum(each.stat().st_size for each in path.glob("*.index"))
        found = apart(seeks, path, count)
        limit = max(64, size // 4 // 1_000_000)
        with memory_limit.limited(limit) as group:
            scanned = apart(scan, path, count, group)
    finally:
        shutil.rmtree(folder)
    return {
        "events": count,
        "bytes": size,
        "index bytes": indexes,
        "seek": found,
        "limit": limit if group else None,
        "scan": scanned,
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench log_size", description=__doc__)
    parser.add_argument(
        "--counts", type=int, nargs="+", default=[10_000, 1_000_000, 100_000_000], help="of events"
    )
    parser.add_argument("--rounds", type=int, default=1, help="accepted for likeness: a log is made once")
    parser.add_argument("--quick", action="store_true", help="up to 10^5 events, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="a folder on a disk")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.counts = [10_000, 100_000]
    machine = method.machine(given.dir)
    rows = [of_count(given.dir, count) for count in given.counts]
    head = ["Events", "MB", "index MB", "seek by sequence, us", "by time, us", "first without index, ms"]
    lines = [
        [
            f"{row['events']:,}",
            f"{row['bytes'] / 1e6:,.1f}",
            f"{row['index bytes'] / 1e6:,.2f}",
            f"{row['seek']['by sequence']:.1f}",
            f"{row['seek']['by time']:.1f}",
            f"{row['seek']['no index'] / 1e3:.1f}",
        ]
        for row in rows
    ]
    print(method.table(head, lines), end="\n\n")
    head = ["Scan of", "memory allowed, MB", "events/s", "PSS before, MB", "at most", "of that the log's"]
    lines = [
        [
            f"{row['bytes'] / 1e6:,.1f} MB",
            f"{row['limit'] or 'no limit'}",
            f"{row['scan']['rate']:,.0f}",
            *(f"{row['scan'][key]:.1f}" for key in ("before", "most", "log")),
        ]
        for row in rows
    ]
    print(method.table(head, lines), end="\n\n")
    if given.json or not given.quick:
        print(f"written to {method.save('log_size', {'machine': machine, 'rows': rows}, given.json)}")
    return 0


__all__ = ["main"]
