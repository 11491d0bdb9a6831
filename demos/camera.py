"""A camera in one process paints each picture straight into the ring; another process looks at it there.

Then the same pictures by append() and read(), which copy. Nobody's word is taken for a copy: a picture that
lies at an address of the ring's file was not copied on its way, one that lies elsewhere was, and is counted.
"""

import struct
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

WIDTH, HEIGHT, FRAMES, WAYS = 1920, 1080, 300, ("claim and view", "append and read")
HEAD = struct.Struct("<QQ")  # which frame this is, and the sum of its pixels taken as words of 8 bytes
SIZE = HEAD.size + WIDTH * HEIGHT * 3


def copied(memory: Any, ring: str) -> int:
    """How many bytes of a picture are copied on its way through the ring: all, unless they lie in its file."""
    address = np.frombuffer(memory, np.uint8).ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(ring):
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if first <= address and address + len(memory) <= last:
                return 0
    return len(memory) - HEAD.size


def paint(memory: Any, pattern: Any, number: int) -> None:
    pixels = np.frombuffer(memory, np.uint8, offset=HEAD.size)
    np.add(pattern, np.uint8(number % 256), out=pixels)  # the stripes move
    HEAD.pack_into(memory, 0, number, int(pixels.view("<u8").sum()))


def camera(ring: str, way: str) -> int:
    y, x, colour = np.ogrid[:HEIGHT, :WIDTH, :3]
    pattern, own, count = (x + 2 * y + 85 * colour).astype(np.uint8).ravel(), bytearray(SIZE), 0
    with ringlog.Writer(ring) as writer:
        for number in range(FRAMES):
            if way == WAYS[0]:
                with writer.claim(SIZE) as memory:
                    paint(memory, pattern, number)
                    count += copied(memory, ring)
            else:
                paint(own, pattern, number)
                count += copied(own, ring)
                writer.append(own)
        writer.end()
    return count


def right(memory: Any, number: int) -> bool:
    total = int(np.frombuffer(memory, "<u8", offset=HEAD.size).sum())
    return HEAD.unpack_from(memory) == (number, total)


def watch(ring: str, way: str) -> tuple[int, int, float]:
    """How many pictures were right, how many bytes were copied, and seconds from the first to the last."""
    good = count = 0
    times = []
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        for number in range(FRAMES):
            if way == WAYS[0]:
                with reader.view(timeout=None) as event:
                    good, count = good + right(event.data, number), count + copied(event.data, ring)
            else:
                data = reader.read().data
                good, count = good + right(data, number), count + copied(data, ring)
            times.append(time.perf_counter())
    return good, count, times[-1] - times[0]


def main(folder: str, pool: ProcessPoolExecutor) -> bool:
    per_byte = {}
    for way in WAYS:
        ringlog.create(ring := f"{folder}/frames.ring", capacity=32 << 20)
        try:
            watching = pool.submit(watch, ring, way)
            while not ringlog.info(ring).readers and not watching.done():
                time.sleep(0.01)
            inward = pool.submit(camera, ring, way).result(timeout=60)
            good, outward, seconds = watching.result(timeout=60)
        finally:
            ringlog.unlink(ring)
        pixels = FRAMES * (SIZE - HEAD.size)
        per_byte[way] = (inward / pixels, outward / pixels) if good == FRAMES else ()
        print(f"{way:15}  {good} of {FRAMES} pictures right, {pixels / seconds / 1e6:6,.0f} MB/s,", end=" ")
        print(f"copied in {inward:,} bytes, out {outward:,}: {(inward + outward) / pixels:g} times each pixel")
    return per_byte == {WAYS[0]: (0, 0), WAYS[1]: (1, 1)}


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        ProcessPoolExecutor(2, get_context("spawn")) as workers,
    ):
        sys.exit(0 if main(folder, workers) else 1)
