"""Market ticks as rows of a numpy array in one process, and as rows of a numpy array again in another one.

Each row is an event. How fast they go hangs on how many go at once. The sums of the columns must be the same.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ringlog

try:
    import numpy as np
except ImportError:
    sys.exit("this demo needs numpy: python -m pip install numpy")

TICK = np.dtype([("symbol", "<u4"), ("size", "<u4"), ("bid", "<i8"), ("ask", "<i8")])
DISTINCT = 1 << 17  # ticks, which go round
BATCHES = {1: DISTINCT, 16: 1 << 19, 256: 1 << 21, 4096: 1 << 22, 16384: 1 << 22}  # rows at once: rows in all


def market(rows: int) -> Any:
    dice, ticks = np.random.default_rng(7), np.zeros(rows, TICK)
    ticks["symbol"], ticks["size"] = dice.integers(0, 500, rows), dice.integers(1, 1000, rows)
    ticks["bid"] = 1_000_000 + dice.integers(-50, 51, rows).cumsum()  # in hundredths of a cent
    ticks["ask"] = ticks["bid"] + dice.integers(1, 100, rows)
    return ticks


def total(ticks: Any) -> Any:
    return np.array([len(ticks), *(ticks[name].sum(dtype="i8") for name in TICK.names or ())])


def read(ring: str) -> tuple[list[int], int]:
    """The number of rows that came and the sums of their columns, and when the last one was there."""
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        sums = total(np.zeros(0, TICK))
        try:
            while True:
                sums += total(reader.read_batch(timeout=None).to_numpy(TICK))
        except ringlog.StreamEnded:
            return sums.tolist(), time.perf_counter_ns()


def send(ring: str, pool: ProcessPoolExecutor, at_once: int, rows: int) -> tuple[float, bool]:
    """Rows a second, and whether all of them came as they were sent."""
    with ringlog.Writer(ring, capacity=16 << 20) as writer:
        ticks, reading = market(DISTINCT), pool.submit(read, ring)
        while not ringlog.info(ring).readers and not reading.done():
            time.sleep(0.01)
        started = time.perf_counter_ns()
        for first in range(0, rows, at_once):
            writer.append_array(ticks[first % DISTINCT : first % DISTINCT + at_once])
        writer.end()
    sums, ended = reading.result(timeout=60)
    return rows / (ended - started) * 1e9, sums == (total(ticks) * (rows // DISTINCT)).tolist()


def main(ring: str, pool: ProcessPoolExecutor) -> bool:
    rates, right = {}, {}
    for at_once, rows in BATCHES.items():
        try:
            rates[at_once], right[at_once] = send(ring, pool, at_once, rows)
        finally:
            ringlog.unlink(ring)
        print(f"{rows:9,} ticks, {at_once:6,} at once: sums {'the same' if right[at_once] else 'DIFFER'}")
    for at_once, rate in rates.items():
        print(f"{at_once:6,} {'█' * round(50 * rate / max(rates.values())):50} {rate / 1e6:5.1f} million/s")
    return all(right.values())


if __name__ == "__main__":
    in_memory, spawn = "/dev/shm" if Path("/dev/shm").is_dir() else None, get_context("spawn")
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(1, spawn) as workers:
        sys.exit(0 if main(f"{folder}/ticks.ring", workers) else 1)
