"""How many rows a second go in by `append_array` and out by `read_batch`, and how much is left to C?

Rows of 64 bytes, each an event with its time stamp and checksum. In one process: arrays into a ring that
nobody reads, and events that are there already out of it; beside each a bare C loop that does the same to the
same bytes. Between two processes: a lossless reader, and a lossy one, whose losses are counted. Then the ways
to read one by one: iteration, lists, columns, from the same sender. Every row that arrives is checked against
its sequence. Samples stem from processes of their own, on rings of their own; contestants take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import ringlog
from bench import method, one_to_one
from bench.floor import build, sample
from bench.processes import apart, exchange, report

SIZE = 64
ROW = np.dtype([("number", "<i8"), ("values", "<f8", (7,))])
BAR = 25e6  # rows a second that append_array and read_batch have to reach in one process
CAPACITY = 4 << 20  # in one process
WIDE = 16 << 20  # between two

Rates = dict[str, float]  # "rows" a second that arrived; for a lossy reader also what it "lost", in per cent


def rows_of(count: int) -> Any:
    """An array of rows that say which they are: a row's sequence, modulo count."""
    rows = np.zeros(count, ROW)
    rows["number"] = np.arange(count)
    rows["values"] = np.random.default_rng(1).random((count, 7))
    return rows


def wrong_rows(batch: ringlog.Batch, count: int) -> int:
    numbers = batch.to_numpy(ROW)["number"]
    return int(np.count_nonzero(numbers != np.asarray(batch.sequences) & (count - 1)))


@contextlib.contextmanager
def ring(path: Path, capacity: int) -> Iterator[str]:
    ringlog.create(path, capacity)
    try:
        yield str(path)
    finally:
        ringlog.unlink(path)


# ---- one process ----


def put(path: str, rows: int, batch: int) -> float:
    """Nanoseconds a row of append_array, in the second of two passes."""
    array, took = rows_of(batch), 0
    with ringlog.Writer(path) as writer:
        for _ in range(2):
            start = time.perf_counter_ns()
            for _ in range(rows // batch):
                writer.append_array(array)
            took = time.perf_counter_ns() - start
    return took / rows


def fill(path: str, batch: int) -> None:
    with ringlog.Writer(path) as writer:
        for _ in range(CAPACITY // (SIZE + 16) // batch):
            writer.append_array(rows_of(batch))


def take(path: str, rows: int, batch: int, limit: int) -> float:
    """Nanoseconds a row of read_batch over a window that stands still, in the second of two passes."""
    took, done, wrong = 0, 0, 0
    with ringlog.Reader(path, start="oldest") as reader:
        while columns := reader.read_batch(limit):
            wrong += wrong_rows(columns, batch)
        for _ in range(2):
            start, done = time.perf_counter_ns(), 0
            while done < rows:
                reader.seek("oldest")
                while columns := reader.read_batch(limit):
                    done += len(columns)
            took = time.perf_counter_ns() - start
    if wrong:
        raise SystemExit(f"{wrong} rows wrong")
    return took / done


def c_loop(*command: object) -> float:
    return float(subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout)


def in_by_c(floor: Path, path: Path, rows: int, batch: int) -> Rates:
    return {"rows": 1e9 / sample([str(floor)], path, CAPACITY, [SIZE, rows, batch, batch])}


def in_by_array(path: Path, rows: int, batch: int) -> Rates:
    with ring(path, CAPACITY) as name:
        return {"rows": 1e9 / apart(put, name, rows, batch)}


def out(path: Path, rows: int, batch: int, limit: int, drain: Path | None) -> Rates:
    """By the C loop `drain`, or else by read_batch."""
    with ring(path, CAPACITY) as name:
        apart(fill, name, batch)
        took = c_loop(drain, name, rows, limit) if drain else apart(take, name, rows, batch, limit)
        return {"rows": 1e9 / took}


def one_process(folder: Path, rows: int, batch: int) -> dict[str, Callable[[], Rates]]:
    path, floor, drain = folder / "ring", build(folder, "floor"), build(folder, "drain")
    contestants: dict[str, Callable[[], Rates]] = {
        "C, rows in": partial(in_by_c, floor, path, rows, batch),
        "append_array": partial(in_by_array, path, rows, batch),
    }
    for limit in (batch, 65536):
        contestants[f"C, rows out, {limit:,} at most"] = partial(out, path, rows, batch, limit, drain)
        contestants[f"read_batch, {limit:,} at most"] = partial(out, path, rows, batch, limit, None)
    return contestants


# ---- two processes ----


def receive(path: str, batch: int, lossless: bool, done: Any) -> None:
    """Columns until the writer ends it; tells how many rows came, and how many were wrong."""
    received, wrong = 0, 0
    with ringlog.Reader(path, lossless=lossless, on_overrun="skip") as reader:
        done.send("ready")
        try:
            while True:
                columns = reader.read_batch(timeout=None)
                received += len(columns)
                wrong += wrong_rows(columns, batch)
        except ringlog.StreamEnded:
            report(done, (received, wrong, reader.lost))


def across(path: Path, rows: int, batch: int, lossless: bool) -> Rates:
    array = rows_of(batch)

    def send() -> None:
        for _ in range(rows // batch):
            writer.append_array(array)
        writer.end()

    with ring(path, WIDE) as name, ringlog.Writer(path) as writer:
        seconds, (received, wrong, lost) = exchange(receive, (name, batch, lossless), send)
    if wrong or received + lost != rows or (lossless and lost):
        raise SystemExit(f"{received} rows and {lost} lost of {rows}, {wrong} wrong")
    return {"rows": received / seconds, "lost": 100 * lost / rows}


def receive_columns(path: str, events: int, size: int, done: Any) -> None:
    """As one_to_one's receivers, by columns."""
    kinds = np.frombuffer(b"".join(one_to_one.payloads(8)), "<u8").reshape(-1, 1)
    wrong = 0
    with ringlog.Reader(path, lossless=True) as reader:
        done.send("ready")
        try:
            while True:
                columns = reader.read_batch(4096, None)
                expected = kinds[np.asarray(columns.sequences) & (one_to_one.KINDS - 1)]
                wrong += int(np.count_nonzero(columns.to_numpy("<u8") != expected))
        except ringlog.StreamEnded:
            one_to_one.complete(done, reader.sequence, events, wrong)


def one_by_one(path: Path, events: int, batch: int, target: Callable[..., None]) -> Rates:
    kinds = b"".join(one_to_one.payloads(SIZE)) * (batch // one_to_one.KINDS)
    array: Any = np.frombuffer(kinds, np.dtype((np.void, SIZE)))

    def send() -> None:
        for _ in range(events // batch):
            writer.append_array(array)
        writer.end()

    with ring(path, WIDE) as name, ringlog.Writer(path) as writer:
        return {"rows": one_to_one.timed(target, (name, events, SIZE), send, events)}


def two_processes(folder: Path, rows: int, batch: int) -> dict[str, Callable[[], Rates]]:
    path = folder / "ring"
    return {
        "append_array to read_batch, lossless": partial(across, path, rows, batch, True),
        "append_array to read_batch, lossy": partial(across, path, rows, batch, False),
        "checked one by one, iteration": partial(one_by_one, path, rows // 4, batch, one_to_one.receive_ring),
        "checked one by one, read_many": partial(
            one_by_one, path, rows // 4, batch, one_to_one.receive_ring_lists
        ),
        "checked in columns, read_batch": partial(one_by_one, path, rows // 4, batch, receive_columns),
    }


# ---- the table ----


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench columns", description=__doc__)
    parser.add_argument("--rows", type=int, default=1 << 22, help="rows a pass (4,194,304)")
    parser.add_argument("--batch", type=int, default=4096, help="rows an array, a power of two (4096)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    batch = given.batch
    if batch & (batch - 1) or not one_to_one.KINDS <= batch <= CAPACITY // 4 // SIZE:
        parser.error(f"--batch is a power of two from {one_to_one.KINDS} to {CAPACITY // 4 // SIZE}")
    rows, rounds = max(4 * batch, given.rows // batch * batch), given.rounds
    if given.quick:
        rows, rounds = 1 << 18, 1
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        contestants = {
            **one_process(Path(folder), rows, batch),
            **two_processes(Path(folder), rows, batch),
        }
        samples = method.interleave(contestants, rounds)
    spreads = {name: method.Spread.of([s["rows"] for s in taken]) for name, taken in samples.items()}
    lost = {
        name: method.Spread.of([sample["lost"] for sample in taken])
        for name, taken in samples.items()
        if "lost" in taken[0]
    }
    print(f"rows of {SIZE} bytes, {rows:,} a pass, arrays of {batch:,}, {rounds} rounds\n")
    lines = [
        [
            name,
            f"{s.median / 1e6:.1f}",
            f"{s.low / 1e6:.1f} to {s.high / 1e6:.1f}",
            f"{1e9 / s.median:.1f}",
            f"{lost[name].median:.1f} %" if name in lost else "",
        ]
        for name, s in spreads.items()
    ]
    print(method.table(["Method", "million rows/s", "quartiles", "ns a row", "lost"], lines), end="\n\n")
    against = {
        "append_array": "C, rows in",
        **{f"read_batch, {n:,} at most": f"C, rows out, {n:,} at most" for n in (batch, 65536)},
    }
    ratios = {f"{a} / {b}": spreads[a].median / spreads[b].median for a, b in against.items()}
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}")
    for name in against:
        print(
            f"{name}: {spreads[name].median / BAR:.2f} times the {BAR / 1e6:.0f} million rows a second asked"
        )
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"size": SIZE, "rows": rows, "batch": batch, "rounds": rounds},
        "rows_per_second": {name: s.record() for name, s in spreads.items()},
        "rate_ratios": {name: round(ratio, 4) for name, ratio in ratios.items()},
        "samples": samples,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('columns', record, given.json)}")
    return 0
