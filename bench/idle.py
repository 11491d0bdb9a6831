"""What does a reader use while nothing comes, and how soon is it awake when something does?

Of every contestant whose receive can block. Idle is the processor time, user and system, of the reader's
whole process over a few seconds of silence, as a part of a core; a server that carries the messages is not
counted. A wake-up is from the clock just before a message is sent to the reader's first look at the clock
once it has it, with about 50 ms between two, so that the reader sleeps as deep as it ever does. Sender and
reader are tied to a core each, if there are two. Contestants take turns, each run in processes of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench import method
from bench.attempts import Figures, Row, attempt, merged, versions
from bench.idle_run import Idle, run
from bench.peers import PEERS, Peer
from bench.peers.ring_waits import RingAsleep, RingAsync, RingReadOnly, RingSelected
from bench.stamped import Failed

ALLOWED = 0.01  # of a core, for a reader that waits


def contestants(text: str) -> list[type[Peer]]:
    """All that can block; those that differ only in how much they take at once wait alike."""
    every: list[type[Peer]] = [
        *(peer for peer in PEERS if peer.waits == "sleeps" and peer.singly()),
        *(RingAsleep, RingSelected, RingAsync, RingReadOnly),
    ]
    return [peer for peer in every if text in peer.name]


def figures_of(seen: Idle) -> Figures:
    if not seen.latencies:
        raise Failed("nothing came")
    figures: Figures = {
        "idle_cpu": seen.idle_cpu,
        "wake_cpu_ns": seen.wake_cpu,
        "first": seen.first,
        "max": max(seen.latencies),
        "latencies": seen.latencies,
    }
    for name, at in (("p50", 50), ("p90", 90), ("p99", 99)):
        figures[name] = float(np.percentile(seen.latencies, at))
    return figures


def together(row: Row, wakes: int) -> Row:
    """With the percentiles of all rounds' wake-ups: one round has too few for a p99."""
    every = [ns for sample in row["samples"] for ns in sample["latencies"]]
    if every:
        row |= {name: float(np.percentile(every, at)) for name, at in (("p50", 50), ("p90", 90), ("p99", 99))}
        row |= {"max": max(every), "wakes": len(every), "lost": wakes * len(row["samples"]) - len(every)}
    return row


def bars(rows: list[Row]) -> list[Row]:
    """ringlog's default wait against the best that blocks, and against one per cent of a core."""
    measured = [row for row in rows if "p50" in row]
    theirs = [row for row in measured if row["library"] != "ringlog"]
    told: list[Row] = []
    for mine in (row for row in measured if row["peer"] == "ringlog"):
        if theirs:
            best = min(theirs, key=lambda row: row["p50"])
            ratio = mine["p50"] / best["p50"]
            told.append(
                {
                    "what": "p50 of waking",
                    "ringlog": mine["p50"],
                    "best_peer": best["peer"],
                    "theirs": best["p50"],
                    "ratio": round(ratio, 4),
                    "holds": ratio < 1,
                }
            )
        told.append(
            {
                "what": "idle, part of a core",
                "ringlog": mine["idle_cpu"],
                "allowed": ALLOWED,
                "holds": mine["idle_cpu"] < ALLOWED,
            }
        )
    return told


def line(row: Row) -> list[str]:
    if "p50" not in row:
        return [row["peer"], *["-"] * 8, row["note"]]
    spread = row["spread"]["p50"]
    return [
        row["peer"],
        f"{100 * row['idle_cpu']:.3f}",
        *(f"{row[name] / 1e3:,.1f}" for name in ("p50",)),
        f"{spread['low'] / 1e3:,.1f} to {spread['high'] / 1e3:,.1f}",
        *(f"{row[name] / 1e3:,.1f}" for name in ("p90", "p99", "max", "wake_cpu_ns")),
        f"{row['lost']}",
        row["note"],
    ]


def show(rows: list[Row]) -> None:
    head = [
        "Method",
        "idle, % of a core",
        "awake p50, µs",
        "quartiles",
        "p90",
        "p99",
        "max",
        "CPU a wake, µs",
    ]
    ordered = sorted(rows, key=lambda row: row.get("p50", float("inf")))
    print(method.table([*head, "lost", "note"], [line(row) for row in ordered]), end="\n\n")
    for bar in bars(rows):
        if "allowed" in bar:
            print(f"{bar['what']}: {bar['ringlog']:.5f}, allowed {bar['allowed']}")
        else:
            print(
                f"{bar['what']}: ringlog {bar['ringlog'] / 1e3:,.1f} µs, {bar['best_peer']}"
                f" {bar['theirs'] / 1e3:,.1f}, ratio {bar['ratio']:.2f}"
            )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench idle", description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="bytes a message, at least 8 (64)")
    parser.add_argument("--idle", type=float, default=3.0, help="seconds of silence, a run (3)")
    parser.add_argument("--apart", type=float, default=0.05, help="seconds between two wake-ups (0.05)")
    parser.add_argument("--wakes", type=int, default=60, help="wake-ups a run (60)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only contestants with this in their name")
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.idle, given.apart, given.wakes, given.rounds = 0.3, 0.01, 20, 1
    if given.size < 8:
        parser.error("a message holds its time stamp: 8 bytes")
    machine = method.machine(given.dir)
    rows: dict[str, Row] = {}
    failures: dict[str, list[str]] = {}
    tasks: dict[str, Callable[[], Figures | None]] = {}
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        os.chmod(folder, 0o711)  # for a reader that may only read
        for kind in contestants(given.only):
            rows[kind.name] = {"peer": kind.name, "library": kind.library, "waits": kind.waits, "readers": 1}
            failures[kind.name] = []
            one = partial(run, kind, Path(folder), given.size, given.idle, given.apart, given.wakes)
            taking = partial(lambda one: figures_of(one()), one)
            tasks[kind.name] = partial(attempt, taking, failures[kind.name])
        samples = method.interleave(tasks, given.rounds)
    done = [together(merged(row, samples[name], failures[name]), given.wakes) for name, row in rows.items()]
    print(
        f"{given.idle:g} s of silence, then {given.wakes} messages of {given.size} bytes, one every"
        f" {1e3 * given.apart:g} ms or so; {given.rounds} rounds\n"
    )
    show(done)
    record = {
        "machine": machine,
        "versions": versions({row["library"] for row in done}),
        "parameters": {
            **{name: getattr(given, name) for name in ("size", "idle", "apart", "wakes", "rounds")},
            "pinned": len(os.sched_getaffinity(0)) > 1,
        },
        "rows": done,
        "bars": bars(done),
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('idle', record, given.json)}")
    return 0
