"""How long does one message take from one process to another, and what does waiting for it cost?

From the moment when a message is due by the sender's schedule to the reader's first look at the clock once
it has it: so a sender that is held up counts, and nothing is omitted. At fixed rates; percentiles from
HdrHistograms (three digits), each the median over the rounds. Beside them the part of a core that both
processes use; the sender always spins, to be in time. If there is a core for each process, each is tied to
one of its own, whoever the contestant. Contestants take turns, each run in processes of its own, without
garbage collection. Those that spin and those that can sleep are in tables of their own.

The floors are C: a cache line that two processes throw to each other, and events through a ring by the same
headers. "The harness itself" is a sender whose call does nothing, timed like the others.
"""

from __future__ import annotations

import argparse
import base64
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram

from bench import method
from bench.attempts import Figures, Row, attempt, merged, versions
from bench.latency_floor import Floors
from bench.latency_run import Run, Times, harness, run
from bench.peers import PEERS, Peer
from bench.peers.ring_waits import RingAsleep, RingPolling
from bench.stamped import Failed

POINTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "p9999": 99.99}
LONGEST_NS = 3_600_000_000_000


def contestants(text: str) -> list[type[Peer]]:
    """All peers that send and receive one by one: who waits for a batch to be full is not after latency."""
    every: list[type[Peer]] = [*(peer for peer in PEERS if peer.singly()), RingPolling, RingAsleep]
    return [peer for peer in every if text in peer.name]


def histogram(latencies: Times) -> HdrHistogram:
    filled = HdrHistogram(1, LONGEST_NS, 3)
    for value, count in zip(*np.unique(latencies, return_counts=True), strict=True):
        filled.record_value(max(1, int(value)), int(count))
    return filled


def percentiles(latencies: Times) -> Figures:
    """In ns; a percentile that fewer than one message lies beyond is none."""
    filled = histogram(latencies)
    figures: Figures = {
        name: filled.get_value_at_percentile(at) if len(latencies) * (100 - at) >= 99.99 else None
        for name, at in POINTS.items()
    }
    figures["max"] = int(latencies.max())
    figures["histogram"] = base64.b64encode(filled.encode()).decode()
    return figures


def figures_of(seen: Run) -> Figures:
    if not len(seen.latencies):
        raise Failed("nothing came")
    return {
        **percentiles(seen.latencies),
        "sent": seen.sent,
        "planned": seen.planned,
        "received": seen.received,
        "late_p50": float(np.median(seen.late)),
        "send_p50": float(np.median(seen.sending)),
        "sender_cpu": seen.sender_cpu,
        "reader_cpu": seen.reader_cpu,
    }


def counted(row: Row) -> Row:
    """With what was lost in all rounds, and a note if the sender fell behind."""
    if samples := row["samples"]:
        row["lost"] = sum(s["sent"] * row["readers"] - s["received"] for s in samples)
        behind = row["sent"] < 0.98 * row["planned"] or row["late_p50"] > 1e9 / row["rate"]
        if behind and not row["note"]:
            row["note"] = "can't keep up"
    return row


def measure(given: argparse.Namespace, folder: Path) -> tuple[list[Row], list[Row]]:
    """The contestants' rows, and the floors'."""
    tasks: dict[str, Callable[[], Figures | None]] = {}
    rows: dict[str, Row] = {}
    failures: dict[str, list[str]] = {}

    def enter(row: Row, take: Callable[[], Figures]) -> None:
        key = f"{row['peer']} at {row['rate']}"
        rows[key], failures[key] = row, []
        tasks[key] = partial(attempt, take, failures[key])

    cores = len(os.sched_getaffinity(0))
    floors = Floors(folder) if cores > 1 and not given.only else None
    if floors is not None:
        bounce = floors.bounce
        enter(
            {"peer": "C, a cache line there and back, halved", "kind": "floor", "rate": None},
            lambda: {
                **dict(zip(("p50", "p99"), bounce(200_000, 1), strict=True)),
                "mean_of_64": bounce(200_000, 64)[0],
            },
        )
    for rate in given.rates:
        floor = {"kind": "floor", "rate": rate}
        events = int(rate * given.seconds)
        enter(
            {"peer": "the harness itself", **floor},
            partial(lambda r: percentiles(harness(given.size, r, given.seconds)), rate),
        )
        if floors is not None:
            ring = partial(floors.through_ring, folder, given.size, rate, events)
            enter({"peer": "C through a ring", **floor}, partial(lambda r: percentiles(r(False)), ring))
            enter(
                {"peer": "C through a ring, pausing between looks", **floor},
                partial(lambda r: percentiles(r(True)), ring),
            )
        for kind in contestants(given.only):
            row = {
                "peer": kind.name,
                "library": kind.library,
                "kind": "peer",
                "waits": kind.waits,
                "lossless": kind.lossless,
                "rate": rate,
                "readers": given.readers,
                "size": given.size,
            }
            one = partial(run, kind, folder, given.size, given.readers, rate, given.seconds)
            enter(row, partial(lambda one: figures_of(one()), one))
    samples = method.interleave(tasks, given.rounds)
    done = [merged(row, samples[key], failures[key]) for key, row in rows.items()]
    return [counted(row) for row in done if row["kind"] == "peer"], [
        row for row in done if row["kind"] == "floor"
    ]


def bars(rows: list[Row]) -> list[Row]:
    """Each of ringlog's spinning readers against the best spinning peer, for each rate and percentile."""
    told: list[Row] = []
    spinning = [row for row in rows if row["waits"] == "spins" and "p50" in row and not row["note"]]
    for mine in (row for row in spinning if row["library"] == "ringlog"):
        theirs = [row for row in spinning if row["library"] != "ringlog" and row["rate"] == mine["rate"]]
        for name in ("p50", "p99") if theirs else ():
            best = min(theirs, key=lambda row: row[name])
            told.append(
                {
                    "what": f"{name} at {mine['rate']:,}/s, spinning",
                    "peer": mine["peer"],
                    "ringlog": mine[name],
                    "best_peer": best["peer"],
                    "theirs": best[name],
                    "ratio": round(mine[name] / best[name], 4),
                    "holds": bool(mine[name] < best[name] if name == "p50" else mine[name] <= best[name]),
                }
            )
    return told


def micro(ns: float | None) -> str:
    if ns is None:
        return "-"
    return f"{ns / 1e3:,.2f}" if ns < 1e5 else f"{ns / 1e3:,.0f}"


HEAD = ["µs", "p50", "quartiles", "p90", "p99", "p99.9", "p99.99", "max", "lost", "reader's core", "sender's"]


def line(row: Row) -> list[str]:
    if "p50" not in row:
        return [row["peer"], *["-"] * 10, row["note"]]
    spread = row["spread"]["p50"]
    cells = [row["peer"], micro(row["p50"]), f"{micro(spread['low'])} to {micro(spread['high'])}"]
    cells += [micro(row.get(name)) for name in ("p90", "p99", "p999", "p9999", "max")]
    cells.append(f"{row['lost']:,}" if "lost" in row else "-")
    cells += [f"{row[name]:.2f}" if name in row else "-" for name in ("reader_cpu", "sender_cpu")]
    return [*cells, row["note"]]


def show(rows: list[Row], floors: list[Row], rates: list[int]) -> None:
    for row in floors:
        if row["rate"] is None and "p50" in row:
            print(
                f"{row['peer']}: p50 {row['p50']:.0f} ns, p99 {row['p99']:.0f}; "
                f"{row['mean_of_64']:.0f} by the mean of 64 trips\n"
            )
    for rate in rates:
        at = [row for row in rows if row["rate"] == rate]
        groups = {
            f"{rate:,}/s, spinning": [row for row in at if row["waits"] == "spins"],
            f"{rate:,}/s, sleeping": [row for row in at if row["waits"] != "spins"],
            f"{rate:,}/s, floors": [row for row in floors if row["rate"] == rate],
        }
        for title, group in groups.items():
            if group:
                group.sort(key=lambda row: row.get("p50", float("inf")))
                print(f"{title}\n\n{method.table([*HEAD, 'note'], [line(row) for row in group])}\n")
    for bar in bars(rows):
        print(
            f"{bar['what']}: {bar['peer']} {micro(bar['ringlog'])},"
            f" {bar['best_peer']} {micro(bar['theirs'])},"
            f" ratio {bar['ratio']:.2f}"
        )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    parser.add_argument("--rates", default="1000,10000,100000", help="messages a second (1000,10000,100000)")
    parser.add_argument("--size", type=int, default=64, help="bytes a message, at least 8 (64)")
    parser.add_argument("--readers", type=int, default=1, help="reading processes (1)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of sending, a run (2)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only contestants with this in their name, and no floors")
    parser.add_argument(
        "--quick", action="store_true", help="one short round at 10,000/s, and no JSON unless --json"
    )
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    given.rates = [int(rate) for rate in given.rates.split(",")]
    if given.quick:
        given.rates, given.seconds, given.rounds = [10_000], 0.2, 1
    if given.size < 8:
        parser.error("a message holds its time stamp: 8 bytes")
    machine = method.machine(given.dir)
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        rows, floors = measure(given, Path(folder))
    tied = len(os.sched_getaffinity(0)) > given.readers
    print(
        f"{given.size} bytes, 1 sender, {given.readers} reader(s), {given.seconds:g} s a run,"
        f" {given.rounds} rounds;"
        f" each process {'tied to a core of its own' if tied else 'free to move: too few cores'}\n"
    )
    show(rows, floors, given.rates)
    record = {
        "machine": machine,
        "versions": versions({row["library"] for row in rows}),
        "parameters": {
            **{name: getattr(given, name) for name in ("rates", "size", "readers", "seconds", "rounds")},
            "pinned": tied,
        },
        "rows": rows,
        "floors": floors,
        "bars": bars(rows),
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('latency', record, given.json)}")
    return 0
