"""Does a recorder keep up with a writer at full speed, and with the disk, and what does it cost?

One process writes into a ring, a thousand events a call, as fast as it gets room; another is the only
lossless reader: it counts batches, or it records into a log, or records and syncs each second. Measured from
the first append until the reader has the last event (synced: on disk), with the processor time of the reader.
Beside that, the disk alone: the same bytes by write() of 256 KiB, and the same synced. Ring and log are on
the disk. Contestants take turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ringlog
from bench import method
from bench.log_kept import events, lists
from bench.processes import apart, exchange, report

RING = 64 << 20
RUN = 256 << 10


def count_batches(folder: str, done: Any) -> None:
    with ringlog.Reader(f"{folder}/ring", lossless=True) as reader:
        done.send("ready")
        begun, count = time.process_time(), 0
        try:
            while True:
                count += len(reader.read_batch(timeout=None))
        except ringlog.StreamEnded:
            report(done, {"events": count, "cpu": time.process_time() - begun, "bytes": 0})


def record(folder: str, sync: Any, verify: bool, done: Any) -> None:
    """`bytes`: of the log's files in the end. What was copied is that: nothing is copied twice."""
    ringlog.Reader(
        f"{folder}/ring", name="recorder", start="oldest"
    ).close()  # the writer waits for it from here on
    done.send("ready")
    begun = time.process_time()
    count = ringlog.record(f"{folder}/ring", f"{folder}/log", sync=sync, verify=verify)
    cpu = time.process_time() - begun
    size = sum(path.stat().st_size for path in Path(folder, "log").glob("*.events"))
    report(done, {"events": count, "cpu": cpu, "bytes": size})


def through_ring(
    where: Path, size: int, count: int, target: Callable[..., None], *options: Any
) -> dict[str, float]:
    folder = tempfile.mkdtemp(dir=where, prefix="log-")
    try:
        ringlog.create(f"{folder}/ring", RING)
        with ringlog.Writer(f"{folder}/ring") as writer:

            def send() -> None:
                for batch in lists(events(size), count):
                    writer.append_many(batch)
                writer.end()

            seconds, told = exchange(target, (folder, *options), send)
    finally:
        shutil.rmtree(folder)
    if told["events"] != count:
        raise SystemExit(f"{told['events']} of {count} events came")
    return {
        "rate": count / seconds,
        "megabytes": count * (size + 16) / seconds / 1e6,
        "cpu": told["cpu"] / count * 1e9,
        "copied": told["bytes"] / count,
    }


def write_alone(folder: str, total: int, sync: bool) -> float:
    block = os.urandom(RUN)
    fd = os.open(f"{folder}/file", os.O_WRONLY | os.O_CREAT)
    begin = time.perf_counter()
    for at in range(0, total, RUN):
        os.write(fd, block[: total - at])
    if sync:
        os.fsync(fd)
    seconds = time.perf_counter() - begin
    os.close(fd)
    return seconds


def disk(where: Path, size: int, count: int, sync: bool) -> dict[str, float]:
    total = count * (size + 16)
    with tempfile.TemporaryDirectory(dir=where, prefix="log-") as folder:
        seconds = apart(write_alone, folder, total, sync)
    return {"rate": count / seconds, "megabytes": total / seconds / 1e6}


def of_size(given: argparse.Namespace, size: int) -> list[dict[str, Any]]:
    count = given.megabytes * 1_000_000 // size
    ring = partial(through_ring, given.dir, size, count)
    tasks: dict[str, Callable[[], dict[str, float]]] = {
        "a reader that counts batches": lambda: ring(count_batches),
        "a recorder": lambda: ring(record, "none", True),
        "a recorder, verify=False": lambda: ring(record, "none", False),
        "a recorder, sync=1.0": lambda: ring(record, 1.0, True),
        "the disk: write()": lambda: disk(given.dir, size, count, False),
        "the disk: write() and fsync()": lambda: disk(given.dir, size, count, True),
    }
    samples = method.interleave(tasks, given.rounds)
    print(f"{size:,} bytes, {count:,} events, medians of {given.rounds} rounds\n")
    head = {
        "rate": "Events/s",
        "megabytes": "MB/s",
        "cpu": "Reader's ns an event",
        "copied": "Bytes an event",
    }
    rows, lines = [], []
    for name, taken in samples.items():
        spreads = {key: method.Spread.of([one[key] for one in taken]) for key in head if key in taken[0]}
        values = {key: spread.record() for key, spread in spreads.items()}
        rows.append({"method": name, "size": size, "values": values, "samples": taken})
        lines.append([name, *(f"{spreads[key].median:,.0f}" if key in spreads else "-" for key in head)])
    print(method.table(["", *head.values()], lines), end="\n\n", flush=True)
    return rows


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench log_record", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 64], help="bytes an event (1024 64)")
    parser.add_argument("--megabytes", type=int, default=1000, help="of data (1000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of 4 MB, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="a folder on a disk")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.megabytes, given.rounds = 4, 1
    machine = method.machine(given.dir)
    rows = [row for size in given.sizes for row in of_size(given, size)]
    parameters = {"megabytes": given.megabytes, "rounds": given.rounds, "ring": RING}
    if given.json or not given.quick:
        saved = method.save(
            "log_record", {"machine": machine, "parameters": parameters, "rows": rows}, given.json
        )
        print(f"written to {saved}")
    return 0


__all__ = ["main"]
