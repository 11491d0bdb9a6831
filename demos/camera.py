"""A camera in one process paints each picture straight into the ring; another process looks at it there.

Then the same pictures by append() and read(), which copy. Nobody's word is taken for a copy: a picture that
lies at addresses of the ring's file is not copied on its way, one that lies elsewhere is, and is counted.
"""

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

WIDTH, HEIGHT, FRAMES, IN_PLACE, COPIED = 1920, 1080, 300, "claim and view", "append and read"
PIXELS = WIDTH * HEIGHT * 3  # bytes; before them which picture it is, and their sum, as words of 8 bytes


def copied(words: Any, ring: str) -> int:
    """How many bytes of a picture have to be copied into or out of a ring: all, unless they lie in its file."""
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
    y, x, colour = np.ogrid[:HEIGHT, :WIDTH, :3]
    pattern, own, count = (x + 2 * y + 85 * colour).astype(np.uint8).ravel(), bytearray(16 + PIXELS), 0
    with ringlog.Writer(ring) as writer:
        for number in range(FRAMES):
            if way == IN_PLACE:
                with writer.claim(16 + PIXELS) as memory:
                    count += paint(memory, pattern, number, ring)
            else:
                count += paint(own, pattern, number, ring)
                writer.append(own)
    return count


def look(data: Any, number: int, ring: str) -> tuple[bool, int]:
    words = np.frombuffer(data, "<u8")
    return bool(words[0] == number and words[1] == words[2:].sum()), copied(words, ring)


def watch(ring: str, way: str, pool: ProcessPoolExecutor) -> bool:
    with ringlog.Reader(ring, lossless=True) as reader:
        painting, seen, times = pool.submit(camera, ring, way), [], []
        for number in range(FRAMES):
            if way == IN_PLACE and (view := reader.view(timeout=60)):
                with view as event:
                    seen.append(look(event.data, number, ring))
            else:
                seen.append(look(reader.read(timeout=60).data, number, ring))
            times.append(time.perf_counter())
    (good, outward), inward = map(sum, zip(*seen, strict=True)), painting.result()
    rate, each = (FRAMES - 1) * PIXELS / (times[-1] - times[0]) / 1e6, (inward + outward) / FRAMES / PIXELS
    print(f"{way:15}  {good} of {FRAMES} pictures right, {rate:,.0f} MB/s, ", end="")
    print(f"copied in {inward:,} bytes, out {outward:,}: {each:g} times each pixel", flush=True)
    return good == FRAMES and inward == outward == (0 if way == IN_PLACE else FRAMES * PIXELS)


if __name__ == "__main__":
    in_memory, spawn = "/dev/shm" if Path("/dev/shm").is_dir() else None, get_context("spawn")
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, ProcessPoolExecutor(1, spawn) as workers:
        ringlog.create(path := f"{folder}/frames.ring", capacity=32 << 20)
        try:
            sys.exit(0 if watch(path, IN_PLACE, workers) & watch(path, COPIED, workers) else 1)
        finally:
            ringlog.unlink(path)
