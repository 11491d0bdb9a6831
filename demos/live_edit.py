"""The seed's "Hello World" to "Hello Go!ld": memory that is a file, before and after sync.

Memory and file are one, the kernel's page cache, so every process sees an edit at once. The disk is another
place, and no read shows what it has behind a newer page: even one past the cache (O_DIRECT) has that page
written first. But the kernel tells whether a page is dirty, that is, not on the disk yet.
"""

import mmap
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil

import ringlog

OLD, NEW, DIRTY = b"Hello World", b"Hello Go!ld", "not yet, the page is dirty"


def look(path: Path, page: int, start: int) -> tuple[bytes, bytes | str]:
    """What another process sees in a page of the file, and what the disk has."""
    size = start + len(NEW)
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ, offset=page) as mapped:
        text = mapped[start:]
        maps = [part for part in psutil.Process().memory_maps() if part.path == str(path)]
        if any(part.private_dirty or part.shared_dirty for part in maps):
            return text, DIRTY
    try:
        disk = os.open(path, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, mmap.PAGESIZE) as aligned:  # as O_DIRECT wants it
            os.preadv(disk, [aligned], page)
            return text, aligned[start:size]
    except OSError as error:
        return text, f"the same, the page is clean (no O_DIRECT here: {error.strerror})"


def main(folder: Path, pool: ProcessPoolExecutor) -> bool:
    seen = []

    def show(when: str, memory: bytes, path: Path, page: int = 0, start: int = 0) -> None:
        seen.append(pool.submit(look, path, page, start).result())
        print(f"  {when}   memory: {memory!r}   another process: {seen[-1][0]!r}   disk: {seen[-1][1]!r}")

    print("A file that is mapped:")
    with (path := folder / "data.bin").open("w+b") as file:
        file.write(OLD)
        file.flush()
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), 0) as memory:
            show("before", memory[:], path)
            memory[6:9] = b"Go!"
            show("edited", memory[:], path)
            memory.flush()
            show("synced", memory[:], path)
    print("A ring is such a file:")
    with ringlog.Writer(ring := folder / "events.ring", capacity=1 << 16) as writer:
        page = ringlog.info(ring).data_start
        writer.append(NEW)  # the text is behind the 16 bytes of its EventEntry
        show("append", NEW, ring, page, 16)
        try:
            writer.sync()
        except ValueError as error:
            print(f"  {error} (name a folder on a disk)")
        show("synced", NEW, ring, page, 16)
    ringlog.unlink(ring)
    at_rest = {disk == DIRTY for _, disk in (seen[0], seen[2], seen[4])}
    return [text for text, _ in seen] == [OLD, NEW, NEW, NEW, NEW] and len(at_rest) == 1


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else "/var/tmp"  # which is on a disk, where /tmp is often memory
    with (
        tempfile.TemporaryDirectory(dir=where) as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
    ):
        sys.exit(0 if main(Path(folder).resolve(), pool) else 1)
