"""Market ticks as rows of a numpy array in one process, and as rows of a numpy array again in another one.

Each row is an event of its own, with its sequence, time stamp and checksum. How fast they go hangs on how
many go at once; both sides add up every column, and the sums must be the same.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import ringlog

try:
    import numpy as np
except ImportError:
    sys.exit("this demo needs numpy: python -m pip install numpy")

TICK = np.dtype([("symbol", "<u4"), ("size", "<u4"), ("bid", "<u8"), ("ask", "<u8"), ("venue", "<u8")])
BATCHES = {1: 1 << 17, 16: 1 << 19, 256: 1 << 21, 4096: 1 << 22, 16384: 1 << 22}  # rows at once: rows in all
Sums = dict[str, int]


def market(rows: int) -> np.ndarray:
    dice, ticks = np.random.default_rng(7), np.zeros(rows, TICK)
    ticks["symbol"], ticks["venue"] = dice.integers(0, 500, rows), dice.integers(0, 12, rows)
    ticks["size"] = dice.integers(1, 1000, rows)
    ticks["bid"] = 1_000_000 + dice.integers(-50, 51, rows).cumsum()  # in hundredths of a cent
    ticks["ask"] = ticks["bid"] + dice.integers(1, 100, rows)
    return ticks


def add_up(sums: Sums, ticks: np.ndarray) -> Sums:
    return {name: sums.get(name, 0) + int(ticks[name].sum(dtype="u8")) for name in TICK.names or ()}


def read(ring: str) -> tuple[Sums, int, int]:
    """The sums of what came, how many rows that were, and when the last one was there."""
    sums: Sums = {}
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        try:
            while True:
                sums = add_up(sums, reader.read_batch(timeout=None).to_numpy(TICK))
        except ringlog.StreamEnded:
            return sums, reader.sequence, time.perf_counter_ns()


def send(ring: str, pool: ProcessPoolExecutor, at_once: int, rows: int) -> tuple[float, bool]:
    """Rows a second, and whether all of them came as they were sent."""
    ticks, distinct = market(1 << 17), 1 << 17
    reading = pool.submit(read, ring)
    while not ringlog.info(ring).readers and not reading.done():
        time.sleep(0.01)
    started = time.perf_counter_ns()
    with ringlog.Writer(ring) as writer:
        for first in range(0, rows, at_once):
            writer.append_array(ticks[first % distinct : first % distinct + at_once])
        writer.end()
    sums, count, ended = reading.result(timeout=60)
    once = add_up({}, ticks)
    expected = {name: total * (rows // distinct) for name, total in once.items()}
    return rows / (ended - started) * 1e9, (count, sums) == (rows, expected)


def main(folder: str, pool: ProcessPoolExecutor) -> bool:
    rates, good = {}, True
    for at_once, rows in BATCHES.items():
        ringlog.create(ring := f"{folder}/ticks.ring")
        try:
            rates[at_once], right = send(ring, pool, at_once, rows)
        finally:
            ringlog.unlink(ring)
        good = good and right
        print(f"{rows:9,} ticks, {at_once:6,} at once: sums {'the same' if right else 'DIFFER'}", flush=True)
    for at_once, rate in rates.items():
        print(f"{at_once:6,} {'█' * round(50 * rate / max(rates.values())):50} {rate / 1e6:5.1f} million ticks/s")
    return good


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as workers,
    ):
        sys.exit(0 if main(folder, workers) else 1)
