"""Touch every page of a mapped file, so that no row of the table pays for page faults in its time.

The kernel's list of this process's mappings shows also those that a library made and keeps to itself, so
Python's `mmap` and ringlog get the same treatment here that the Zig and Go programs give their mappings.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path


def prefault(path: Path) -> int:
    """Write one byte of each page of this process's writable mappings of a file; return how many pages.

    What is written is the byte that is there, so nobody else may be writing yet.
    """
    inode = str(path.stat().st_ino)
    pages = 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, permissions, _, _, mapped_inode, *_ = line.split()
        if mapped_inode != inode or permissions != "rw-s":
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        memory = (ctypes.c_char * (end - start)).from_address(start)
        for page in range(0, end - start, mmap.PAGESIZE):
            memory[page] = memory[page]
            pages += 1
    if pages == 0:
        raise RuntimeError(f"{path} is not mapped for writing")
    return pages
