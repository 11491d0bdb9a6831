"""Buffered Sequential: an ordinary file with a big buffer; the header is written when the buffer is flushed.

The last flush, after which the whole file is with the operating system, is part of the time.
"""

from __future__ import annotations

import time
import zlib
from pathlib import Path

from bench.rows.check import check
from bench.rows.row import Job, Row, timed, warmed
from bench.rows.stream import ENTRY, HEADER

BUFFER = 1 << 20


class BufferedStream:
    def __init__(self, path: Path) -> None:
        self.file = path.open("wb", buffering=BUFFER)
        self.started = time.time_ns()
        self.offset = HEADER.size
        self.count = 0
        self.file.write(HEADER.pack(self.offset, self.count, self.started))

    def append(self, data: bytes) -> None:
        self.file.write(ENTRY.pack(time.time_ns(), len(data), zlib.crc32(data)))
        self.file.write(data)
        self.offset += ENTRY.size + len(data)
        self.count += 1

    def flush(self) -> None:
        self.file.seek(0)
        self.file.write(HEADER.pack(self.offset, self.count, self.started))
        self.file.seek(self.offset)
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def one_pass(job: Job) -> int:
    path = job.directory / "buffered.events"
    stream = BufferedStream(path)
    taken = timed(job, stream.append, job.messages, stream.flush)
    stream.close()
    check(path.read_bytes(), job.messages)
    path.unlink()
    return taken


ROWS = [Row("Buffered Sequential", "Python, 1 MiB buffer, header at the flush", warmed(one_pass))]
