"""Many readers map one ring, whose pages exist once; beside it, the same readers with buffers of their own.

RSS counts a page in full wherever it is mapped (a reader maps the ring's data twice, end to end), PSS divides
it among all who map it, USS counts what nobody else has: the sum of PSS is the memory there is. Shown is by
how much each reader grew; the writer has its own share of the ring's pages.
"""

import struct
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import psutil

import ringlog

EVENTS, SIZE, READERS, WAYS = 30_000, 1024, 4, ("ring", "buffers")


def memory() -> tuple[int, int, int]:
    now = psutil.Process().memory_full_info()
    return now.rss, now.pss, now.uss


def read(way: str, path: str, together: threading.Barrier) -> tuple[list[float], float, bool]:
    with ExitStack() as held:
        before, total, position = memory(), 0, 0
        together.wait()
        started = time.perf_counter()
        if way == "ring":
            reader = held.enter_context(ringlog.Reader(path, start="oldest"))
            total = sum(len(event.data) for event in reader)
        else:  # read() the file, take its entries apart, check their sums
            with Path(path).open("rb") as file:
                file.seek(ringlog.info(path).data_start)
                buffer = file.read(ringlog.info(path).write_offset - 24)
            while position < len(buffer):
                _, size, checksum = struct.unpack_from("<qII", buffer, position)
                position += 16 + size
                total += size if zlib.crc32(buffer[position - size : position]) == checksum else 0
        milliseconds = (time.perf_counter() - started) * 1000
        together.wait()  # everyone has read everything, and still holds it
        grown = [(now - then) / 2**20 for now, then in zip(memory(), before, strict=True)]
        together.wait()
        return grown, milliseconds, total == EVENTS * SIZE


def main(path: str) -> bool:
    spawn, right, needed, took = get_context("spawn"), True, [0.0, 0.0], [0.0, 0.0]
    with ringlog.Writer(path, capacity=32 << 20) as writer:
        for _ in range(EVENTS // 1000):
            writer.append_many([bytes(SIZE)] * 1000)
        writer.end()
        for n, way in enumerate(WAYS):
            with spawn.Manager() as manager, ProcessPoolExecutor(READERS, spawn) as pool:
                together = manager.Barrier(READERS, timeout=30)
                tasks = [pool.submit(read, way, path, together) for _ in range(READERS)]
                for (rss, pss, uss), ms, complete in (task.result() for task in tasks):
                    print(f"{way:7} reader  RSS {rss:6.1f}  PSS {pss:6.1f}  USS {uss:6.1f} MiB  {ms:4.0f} ms")
                    needed[n], took[n], right = needed[n] + pss, max(took[n], ms), right and complete
    for title, unit, figures in ("all PSS", "MiB", needed), ("slowest", "ms", took):
        for way, value in zip(WAYS, figures, strict=True):
            print(f"{title} {way:7} {'█' * round(50 * value / max(figures)):50} {value:.0f} {unit}")
    return right and needed[0] < needed[1] / 2


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        try:
            sys.exit(0 if main(f"{folder}/events.ring") else 1)
        finally:
            ringlog.unlink(f"{folder}/events.ring")
