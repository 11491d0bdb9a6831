"""Standard Sequential: every message goes to the operating system at once, and so does the header.

The file is open without a buffer, so each `write` is a system call. A message is one write of its entry and
its data, joined first; the header is one `pwrite`, which needs no seek there and back. Two system calls a
message are the fewest that keep the file readable at every moment: a baseline of four would flatter the rest.
"""

from __future__ import annotations

import io
import os
import time
import zlib
from pathlib import Path

from bench.rows.check import check
from bench.rows.row import Job, Row, timed, warmed
from bench.rows.stream import ENTRY, HEADER


class SequentialStream:
    def __init__(self, path: Path) -> None:
        self.file = io.FileIO(path, "w")
        self.started = time.time_ns()
        self.offset = HEADER.size
        self.count = 0
        self.file.write(HEADER.pack(self.offset, self.count, self.started))

    def append(self, data: bytes) -> None:
        self.file.write(ENTRY.pack(time.time_ns(), len(data), zlib.crc32(data)) + data)
        self.offset += ENTRY.size + len(data)
        self.count += 1
        os.pwrite(self.file.fileno(), HEADER.pack(self.offset, self.count, self.started), 0)

    def close(self) -> None:
        self.file.close()


def one_pass(job: Job) -> int:
    path = job.directory / "sequential.events"
    stream = SequentialStream(path)
    taken = timed(job, stream.append, job.messages)
    stream.close()
    check(path.read_bytes(), job.messages)
    path.unlink()
    return taken


ROWS = [
    Row(
        "Standard Sequential",
        "Python, unbuffered: one write a message, one pwrite of the header",
        warmed(one_pass),
    )
]
