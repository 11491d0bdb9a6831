"""Memory Mapped: Python's own `mmap`, with `struct`, `zlib` and a lock, as its documentation leads one to."""

from __future__ import annotations

import mmap
import threading
import time
import zlib
from pathlib import Path

from bench.rows.check import check
from bench.rows.prefault import prefault
from bench.rows.row import Job, Row, timed, warmed
from bench.rows.stream import COUNTERS, ENTRY, HEADER


class MappedStream:
    def __init__(self, path: Path, size: int) -> None:
        with path.open("w+b") as file:
            file.truncate(size)
            self.map = mmap.mmap(file.fileno(), size)
        self.lock = threading.Lock()
        self.offset = HEADER.size
        self.count = 0
        HEADER.pack_into(self.map, 0, self.offset, self.count, time.time_ns())

    def rewind(self) -> None:
        self.offset = HEADER.size
        self.count = 0

    def append(self, data: bytes) -> None:
        with self.lock:
            start = self.offset
            body = start + ENTRY.size
            end = body + len(data)
            ENTRY.pack_into(self.map, start, time.time_ns(), len(data), zlib.crc32(data))
            self.map[body:end] = data
            self.offset = end
            self.count += 1
            COUNTERS.pack_into(self.map, 0, end, self.count)

    def close(self) -> None:
        self.map.close()


def one_pass(job: Job) -> int:
    path = job.directory / "mapped.events"
    stream = MappedStream(path, job.stream_size)
    prefault(path)
    taken = 0
    for _ in range(job.passes):
        stream.rewind()
        taken = timed(job, stream.append, job.messages)
    stream.close()
    check(path.read_bytes(), job.messages)
    path.unlink()
    return taken


ROWS = [Row("Memory Mapped", "Python, mmap and struct.pack_into under a threading.Lock", warmed(one_pass))]
