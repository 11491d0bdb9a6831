"""Market ticks as rows of a numpy array in one process, and as rows of a numpy array again in another one.

Each row is an event with its sequence, time stamp and checksum. How fast they go hangs on how many go at
once. Both sides add up every column: the sums must be the same.
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
DISTINCT = 1 << 17  # ticks, which go round
BATCHES = {1: DISTINCT, 16: 1 << 19, 256: 1 << 21, 4096: 1 << 22, 16384: 1 << 22}  # rows at once: rows in all


def market(rows: int) -> np.ndarray:
    dice, ticks = np.random.default_rng(7), np.zeros(rows, TICK)
    ticks["symbol"], ticks["venue"] = dice.integers(0, 500, rows), dice.integers(0, 12, rows)
    ticks["size"] = dice.integers(1, 1000, rows)
    ticks["bid"] = 1_000_000 + dice.integers(-50, 51, rows).cumsum()  # in hundredths of a cent
    ticks["ask"] = ticks["bid"] + dice.integers(1, 100, rows)
    return ticks


def total(ticks: np.ndarray) -> np.ndarray:
    return np.array([ticks[name].sum(dtype="u8") for name in TICK.names or ()])


def read(ring: str) -> tuple[list[int], int, int]:
    """The sums of the columns that came, how many rows that were, and when the last one was there."""
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        sums = np.zeros(len(TICK), "u8")
        try:
            while True:
                sums += total(reader.read_batch(timeout=None).to_numpy(TICK))
        except ringlog.StreamEnded:
            return sums.tolist(), reader.sequence, time.perf_counter_ns()


def send(ring: str, pool: ProcessPoolExecutor, at_once: int, rows: int) -> tuple[float, bool]:
    """Rows a second, and whether all of them came as they were sent."""
    ticks, reading = market(DISTINCT), pool.submit(read, ring)
    while not ringlog.info(ring).readers and not reading.done():
        time.sleep(0.01)
    started = time.perf_counter_ns()
    with ringlog.Writer(ring) as writer:
        for first in range(0, rows, at_once):
            writer.append_array(ticks[first % DISTINCT : first % DISTINCT + at_once])
        writer.end()
    sums, count, ended = reading.result(timeout=60)
    expected = (total(ticks) * (rows // DISTINCT)).tolist()
    return rows / (ended - started) * 1e9, (count, sums) == (rows, expected)


def main(ring: str, pool: ProcessPoolExecutor) -> bool:
    rates, right = {}, []
    for at_once, rows in BATCHES.items():
        ringlog.create(ring)
        try:
            rates[at_once], same = send(ring, pool, at_once, rows)
        finally:
            ringlog.unlink(ring)
        right.append(same)
        print(f"{rows:9,} ticks, {at_once:6,} at once: sums {'the same' if same else 'DIFFER'}", flush=True)
    for at_once, rate in rates.items():
        bar = "█" * round(50 * rate / max(rates.values()))
        print(f"{at_once:6,} {bar:50} {rate / 1e6:5.1f} million ticks/s")
    return all(right)


if __name__ == "__main__":
    in_memory, spawn = "/dev/shm" if Path("/dev/shm").is_dir() else None, get_context("spawn")
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(1, spawn) as workers:
        sys.exit(0 if main(f"{folder}/ticks.ring", workers) else 1)
