"""System calls of a busy writer and a busy reader, counted by strace.

    python tests/writers/count_syscalls.py [--more 300000] [--few 20000]

Each runs twice, the second time with `more` further events; the difference is what those cost. Reader and
writer run at the same time. In the large ring nothing is overwritten; in the small one the writer laps all
the time, and may look once a stride whether its file still has its name.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import ringlog

SIZE = 64
STRIDES = 64
WRITER = """
import sys, ringlog
path, events, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ringlog.Writer(path) as writer:
    data = bytes(64)
    if batch:
        items = [data] * batch
        for _ in range(events // batch):
            writer.append_many(items)
    else:
        for _ in range(events):
            writer.append(data)
"""
# Never idle: poll() tells at once whether there is something.
READER = """
import sys, ringlog
path, events, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ringlog.Reader(path, start="oldest", on_overrun="skip") as reader:
    if batch:
        while reader.sequence < events:
            reader.read_many(batch)
    else:
        while reader.sequence < events:
            reader.poll()
"""


def under_strace(code: str, log: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = ["strace", "-f", "-qq", "-o", log, sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd="/")


def calls(log: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in Path(log).read_text().splitlines():
        words = line.split(None, 1)
        if len(words) == 2 and "(" in words[1] and not words[1].startswith(("---", "+++", "<...")):
            found[words[1].split("(")[0]] += 1
    return found


def count(capacity: int, events: int, batch: int = 0) -> tuple[Counter[str], Counter[str]]:
    """System calls of a writer and of a reader, of this many events."""
    folder = tempfile.mkdtemp(prefix="ringlog-strace-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    path = os.path.join(folder, "ring")
    logs = [os.path.join(folder, name) for name in ("writer", "reader")]
    try:
        ringlog.create(path, capacity)
        children = [
            under_strace(code, log, path, events, batch)
            for code, log in zip((READER, WRITER), reversed(logs), strict=True)
        ]
        for child in children:
            assert child.wait(300) == 0
        return calls(logs[0]), calls(logs[1])
    finally:
        ringlog.unlink(path)
        shutil.rmtree(folder)


def difference(capacity: int, few: int, more: int, batch: int = 0) -> tuple[Counter[str], Counter[str]]:
    """What `more` further events cost, by name of the call: for the writer, for the reader."""
    base, larger = count(capacity, few, batch), count(capacity, few + more, batch)
    for k in (0, 1):
        larger[k].subtract(base[k])
    return larger


def strides(capacity: int, more: int) -> int:
    """How many strides `more` events fill."""
    return more * (16 + SIZE) // (capacity // STRIDES)


def total(found: Counter[str]) -> int:
    return sum(found.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--more", type=int, default=300_000)
    parser.add_argument("--few", type=int, default=20_000)
    arguments = parser.parse_args()
    if not shutil.which("strace"):
        print("strace is not installed")
        return 0
    for name, capacity in (("large", 1 << 26), ("small", 1 << 20)):
        for batch in (0, 100):
            writer, reader = difference(capacity, arguments.few, arguments.more, batch)
            how = f"{batch} at a time" if batch else "one at a time"
            print(
                f"{name} ring, {how}: {arguments.more} more events cost the writer {total(writer)} "
                f"system calls ({strides(capacity, arguments.more)} strides), the reader {total(reader)}"
            )
            for who, found in (("writer", writer), ("reader", reader)):
                print(f"    {who}: { ({name: number for name, number in found.items() if number}) }")
    return 0


if __name__ == "__main__":
    sys.exit(main())
