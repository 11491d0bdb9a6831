"""How many messages of 1 KiB does each way of writing the seed's event stream take in a second?

Every row writes the same messages in the same format: a 24-byte header that is kept up to date, and for each
message a 16-byte entry (time stamp from the real-time clock, size, CRC-32) and the data. Every row is timed
in the same way: pages of mapped files are touched before the clock starts, earlier passes are discarded, and
after the last one the file is decoded and compared with what was to be written. What the caches hold when the
clock starts is another matter, and changes the figures: `--caches` chooses, and rows/cold.py explains.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import method
from bench.rows import ROWS, Row
from bench.rows.row import Job, NotInstalled, Unavailable

BASELINE = "Standard Sequential"
# Which of our rows is held against which other one.
COMPARISONS = [
    ("ringlog append", "Go Memory Mapped"),
    ("ringlog append", "Zig Memory Mapped"),
    ("ringlog append_many", "Zig Memory Mapped, no checksum"),
]
DISTINCT = 64  # contents, which together stay in a core's own cache


@dataclass(frozen=True)
class Result:
    """A row's samples, in nanoseconds a pass, as rates."""

    samples: Sequence[float]
    messages: int
    size: int

    @property
    def rate(self) -> method.Spread:
        """Messages a second."""
        return method.Spread.of([self.messages / taken * 1e9 for taken in self.samples])

    @property
    def megabytes(self) -> float:
        return self.rate.median * self.size / 1e6

    def times(self, other: Result) -> tuple[float, method.Spread]:
        """How many times the rate of another row: by the medians, and the spread round by round."""
        by_round = [theirs / ours for ours, theirs in zip(self.samples, other.samples, strict=True)]
        return self.rate.median / other.rate.median, method.Spread.of(by_round)


def measure(rows: Sequence[Row], job: Job, rounds: int) -> dict[str, Result]:
    samples = method.interleave({row.name: partial(row.measure, job) for row in rows}, rounds)
    return {name: Result(taken, len(job.messages), len(job.sources[0])) for name, taken in samples.items()}


def missing(rows: Sequence[Row]) -> dict[str, Unavailable]:
    """The rows that can't run here, and why."""
    reasons: dict[str, Unavailable] = {}
    for row in rows:
        method.progress(f"preparing: {row.name}")
        try:
            row.prepare()
        except Unavailable as reason:
            reasons[row.name] = reason
    method.progress("")
    return reasons


def results_table(results: dict[str, Result], reasons: dict[str, Unavailable]) -> str:
    head = ["Method", "Throughput (msgs/s)", "Throughput (MB/s)", f"vs {BASELINE}", "middle half (msgs/s)"]
    lines = []
    for name, result in sorted(results.items(), key=lambda item: -item[1].rate.median):
        rate = result.rate
        factor, _ = result.times(results[BASELINE])
        spread = f"{rate.low:,.0f} to {rate.high:,.0f}"
        lines.append([name, f"{rate.median:,.0f}", f"{result.megabytes:,.0f}", f"{factor:.1f}x", spread])
    for name, reason in reasons.items():
        lines.append([name, "not installed" if isinstance(reason, NotInstalled) else "not run", "", "", ""])
    notes = [f"{name}: {reason}" for name, reason in reasons.items()]
    return "\n".join([method.table(head, lines), *([""] if notes else []), *notes])


def comparisons(results: dict[str, Result]) -> list[tuple[str, float, method.Spread]]:
    return [
        (f"{ours} / {theirs}", *results[ours].times(results[theirs]))
        for ours, theirs in COMPARISONS
        if ours in results and theirs in results
    ]


def comparisons_table(results: dict[str, Result]) -> str:
    lines = [
        [name, f"{factor:.2f}", f"{rounds.low:.2f} to {rounds.high:.2f}"]
        for name, factor, rounds in comparisons(results)
    ]
    return method.table(["Ratio", "of the medians", "middle half of the rounds"], lines) if lines else ""


def record(results: dict[str, Result], reasons: dict[str, Unavailable]) -> dict[str, Any]:
    how = {row.name: row.how for row in ROWS}
    rows: dict[str, Any] = {}
    for name, result in results.items():
        rows[name] = {
            "how": how[name],
            "messages_per_second": result.rate.record(),
            "megabytes_per_second": round(result.megabytes, 1),
            "times_baseline": round(result.times(results[BASELINE])[0], 2),
            "nanoseconds": result.samples,
        }
    for name, reason in reasons.items():
        rows[name] = {"how": how[name], "unavailable": str(reason)}
    ratios = {
        name: {"of_medians": round(factor, 4), "by_round": rounds.record()}
        for name, factor, rounds in comparisons(results)
    }
    return {"rows": rows, "ratios": ratios}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench seed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds (default: 15)")
    parser.add_argument("--quick", action="store_true", help="two rounds, and no JSON unless --json is given")
    parser.add_argument(
        "--dir", type=Path, default=Path("/dev/shm"), help="where to write (default: /dev/shm)"
    )
    parser.add_argument("--messages", type=int, default=10_000, help="messages a pass (default: 10000)")
    parser.add_argument("--size", type=int, default=1024, help="bytes a message (default: 1024)")
    parser.add_argument(
        "--caches",
        choices=["cold", "touched", "steady"],
        default="cold",
        help="emptied before the clock starts; as touching the pages of a fresh file left them; or, for"
        " mapped rows, as nine passes over the same file did (default: cold, the same start for every row)",
    )
    parser.add_argument("--json", type=Path, help="the JSON file (default: bench/results/seed.json)")
    given = parser.parse_args(argv)
    rounds = 2 if given.quick else given.rounds
    if min(rounds, given.messages, given.size) < 1:
        parser.error("--rounds, --messages and --size are at least 1")
    if not given.dir.is_dir():
        parser.error(f"{given.dir} is no directory")

    here = method.machine(given.dir)
    reasons = missing(ROWS)
    with tempfile.TemporaryDirectory(prefix="ringlog-bench-", dir=given.dir) as scratch:
        job = Job.make(Path(scratch), given.messages, given.size, DISTINCT, caches=given.caches)
        results = measure([row for row in ROWS if row.name not in reasons], job, rounds)

    parameters = {"messages": given.messages, "size": given.size, "rounds": rounds, "caches": given.caches}
    whole = {"machine": here, "parameters": parameters, **record(results, reasons)}
    kept = method.save("seed", whole, given.json) if given.json or not given.quick else None
    print(", ".join(f"{what}: {value}" for what, value in parameters.items()), end="\n\n")
    print(results_table(results, reasons), end="\n\n")
    if compared := comparisons_table(results):
        print(compared, end="\n\n")
    print(", ".join(f"{what}: {value}" for what, value in here.items()))
    if kept:
        print(f"written: {kept}")
    # Another language that isn't installed is no fault; anything else that kept a row away is.
    return 0 if all(isinstance(reason, NotInstalled) for reason in reasons.values()) else 1
