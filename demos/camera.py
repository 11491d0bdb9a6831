"""A camera in one process paints each picture straight into the ring, and another process looks at it there.

Then the same by append() and read(). Counted as copied: what was painted, or is seen, outside the ring.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ringlog

try:
    import numpy as np
except ImportError:
    sys.exit("this demo needs numpy: python -m pip install numpy")

spawn, FRAMES, IN_PLACE, COPIED = get_context("spawn"), 300, "claim and view", "append and read"
PIXELS = 1920 * 1080 * 3  # bytes; before them the number of the picture and their sum, in words of 8 bytes


def copied(words: Any, ring: str) -> int:
    """How many bytes have to be copied into or out of the ring: none of a picture that lies in its file."""
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(ring)]
    ends = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]  # data is mapped twice
    corners = words.ctypes.data, words.ctypes.data + words.nbytes - 1
    return 0 if all(any(low <= byte < high for low, high in ends) for byte in corners) else PIXELS


def paint(memory: Any, pattern: Any, number: int, ring: str) -> int:
    words = np.frombuffer(memory, "<u8")
    np.add(pattern, np.uint8(number % 256), out=words[2:].view(np.uint8))  # the stripes move
    words[:2] = number, words[2:].sum()
    return copied(words, ring)


def camera(ring: str, way: str) -> int:
    pattern, own, count = np.arange(PIXELS).astype(np.uint8), bytearray(16 + PIXELS), 0
    with ringlog.Writer(ring) as writer:
        for number in range(FRAMES):
            with writer.claim(16 + PIXELS) if way == IN_PLACE else nullcontext(own) as memory:
                count += paint(memory, pattern, number, ring)
            if way == COPIED:
                writer.append(own)
    return count


def look(data: Any, number: int, ring: str) -> tuple[bool, int]:
    words = np.frombuffer(data, "<u8")
    return bool(words[0] == number and words[1] == words[2:].sum()), copied(words, ring)


def watch(ring: str, way: str, pool: ProcessPoolExecutor) -> bool:
    with ringlog.Reader(ring, lossless=True) as reader:
        painting, seen, times = pool.submit(camera, ring, way), [], []
        for number in range(FRAMES):
            source: Any = reader.view(60) if way == IN_PLACE else nullcontext(reader.read(60))
            with source as event:
                seen.append(look(event.data, number, ring))
            times.append(time.perf_counter())
    (good, outward), inward = map(sum, zip(*seen, strict=True)), painting.result()
    rate, each = (FRAMES - 1) / (times[-1] - times[0]) * PIXELS, (inward + outward) / FRAMES / PIXELS
    print(f"{way:15}  {good} of {FRAMES} pictures right, {rate / 1e6:,.0f} MB/s, ", end="")
    print(f"copied in {inward:,} bytes, out {outward:,}: {each:g} times each pixel", flush=True)
    return good == FRAMES and inward == outward == (0 if way == IN_PLACE else FRAMES * PIXELS)


if __name__ == "__main__":
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(1, spawn) as workers:
        ringlog.create(path := f"{folder}/frames.ring", capacity=32 << 20)
        try:
            sys.exit(0 if watch(path, IN_PLACE, workers) & watch(path, COPIED, workers) else 1)
        finally:
            ringlog.unlink(path)
