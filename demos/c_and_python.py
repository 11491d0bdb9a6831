"""A C writer and a C++ reader beside Python: both ways, the SHA-256 of what arrives is that of what went.

Builds demos/c with make, gcc and g++. Without them it says so and does nothing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import ringlog

HERE = Path(__file__).parent / "c"
EVENTS = 200_000


def missing() -> list[str]:
    return [tool for tool in ("make", "cc", "c++") if shutil.which(tool) is None]


def show(what: str, seconds: float, sent: str, arrived: str) -> bool:
    verdict = "the same" if sent == arrived else "NOT THE SAME"
    print(f"{what}: {EVENTS / seconds / 1e6:.2f} million events/s, SHA-256 {arrived[:16]}... {verdict}")
    return sent == arrived


def from_c(writer: Path, ring: Path, lines: Path, sent: str) -> bool:
    with ringlog.Reader(ring, lossless=True) as reader, lines.open("rb") as stream:
        start = time.perf_counter()
        with subprocess.Popen([writer, "--end", ring], stdin=stream, stderr=subprocess.DEVNULL):
            arrived = hashlib.sha256()
            with suppress(ringlog.StreamEnded):
                while events := reader.read_many(4096, timeout=20):  # none: the writer has failed
                    arrived.update(b"".join(event.data + b"\n" for event in events))
    return show("C to Python", time.perf_counter() - start, sent, arrived.hexdigest())


def to_cpp(reader: Path, ring: Path, lines: Path, sent: str) -> bool:
    printed = lines.with_suffix(".printed")
    with printed.open("wb") as stream, ringlog.Writer(ring) as writer:
        with subprocess.Popen([reader, "--lossless", ring], stdout=stream, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == b"ready\n"  # it has joined: from here on it misses nothing
            start = time.perf_counter()
            for line in lines.read_bytes().splitlines():
                writer.append(line)
            writer.end()
        seconds = time.perf_counter() - start
    return show("Python to C++", seconds, sent, hashlib.sha256(printed.read_bytes()).hexdigest())


def main(folder: Path) -> bool:
    subprocess.run(["make", "-s", "-j2", "-C", HERE, f"PYTHON={sys.executable}", f"OUT={folder}"], check=True)
    lines = folder / "lines"
    lines.write_bytes(b"".join(b"event %d of the demo\n" % k for k in range(EVENTS)))
    sent = hashlib.sha256(lines.read_bytes()).hexdigest()
    right = True
    for program, exchange in (("writer", from_c), ("reader", to_cpp)):
        ringlog.create(ring := folder / f"{program}.ring", capacity=1 << 20)
        try:
            right = exchange(folder / program, ring, lines, sent) and right
        finally:
            ringlog.unlink(ring)
    return right


if __name__ == "__main__":
    if lacking := missing():
        print(f"skipped: not installed: {', '.join(lacking)}")
        sys.exit(0)
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder:
        sys.exit(0 if main(Path(folder)) else 1)
