"""What is in the caches when the clock starts: `--caches cold`, `touched` or `steady`.

A page that was just made and touched may still be in the last-level cache, and for the fastest rows that is
worth more than half of a message's time. How much of it is there hangs on the size of what was mapped, and
on where the kernel found the pages: a file of 10 MB may fit where a ring of 16 MiB does not.

- `cold`, the default: other memory is read before the clock starts, so that no row finds anything. The only
  one of the three that gives every row the same start.
- `touched`: nothing is done about it. A short run into a fresh file; some rows find more than others.
- `steady`: each mapped row has written its own file over nine times. The state of a ring in use, and of a
  file that nobody would write in this way.
"""

from __future__ import annotations

from functools import cache

SIZE = 64 << 20


@cache
def _elsewhere() -> bytearray:
    return bytearray(b"\0") * SIZE  # multiplied, so that each page is real and not the shared page of zeros


def cool() -> None:
    """Read so much other memory that little of a stream is left in the caches."""
    if _elsewhere().find(1) != -1:
        raise RuntimeError("there is a 1 in memory full of zeros")
