"""Every line of a real file to several processes, each of which proves that it got all of it: the SHA-256
over the lines that reached it must be the file's. Without a FILE: the sources of Python's standard library.
"""

import argparse
import hashlib
import importlib.util
import io
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import ringlog


def batches_of_lines(data: bytes) -> Iterator[list[bytes]]:
    file, shown = io.BytesIO(data), 0
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        from rich.progress import wrap_file

        with wrap_file(file, len(data), description="lines to readers") as watched:
            while lines := watched.readlines(1 << 18):
                yield lines
    while lines := file.readlines(1 << 18):  # without a bar: a line now and then
        yield lines
        if (percent := 100 * file.tell() // len(data)) >= shown + 20:
            print(f"{percent:4} %", flush=True)
            shown = percent


def read(ring: str) -> str:
    digest = hashlib.sha256()
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        for event in reader:  # until the writer says that this was all
            digest.update(event.data)
    return digest.hexdigest()


def main(files: list[Path], readers: int) -> bool:
    sources = Path(sysconfig.get_path("stdlib")).rglob("*.py")
    library = (path for path in sources if not {"site-packages", "dist-packages"} & set(path.parts))
    data = b"".join(path.read_bytes() for path in files or library)
    expected = hashlib.sha256(data).hexdigest()
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        ProcessPoolExecutor(readers, get_context("spawn")) as pool,
    ):
        ringlog.create(ring := f"{folder}/lines.ring")
        try:
            reading = [pool.submit(read, ring) for _ in range(readers)]
            while len(ringlog.info(ring).readers) < readers and not any(future.done() for future in reading):
                time.sleep(0.01)
            started = time.perf_counter()
            with ringlog.Writer(ring) as writer:
                for lines in batches_of_lines(data):
                    writer.append_many(lines)
                writer.end()
            digests = [future.result() for future in reading]
            seconds, events = time.perf_counter() - started, ringlog.info(ring).event_count
        finally:
            ringlog.unlink(ring)  # a reader that is still there is told so
    for digest in digests:
        print(f"reader {digest} {'the same' if digest == expected else 'DIFFERENT'}")
    print(f"file   {expected}\n{events:,} lines in {seconds:.2f} s:", end=" ")
    print(f"{events / seconds:,.0f} lines/s, {len(data) / seconds / 1e6:,.1f} MB/s, to {readers} readers")
    return digests == [expected] * readers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Every line of a file to several processes.")
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path)
    parser.add_argument("--readers", metavar="N", type=int, default=3)
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
