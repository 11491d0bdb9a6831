"""Empty the caches before the clock starts: what `--caches cold` does, for every row alike.

A page that was just made and touched may still be in the last-level cache when the clock starts, and for
the fastest rows that is worth more than half of a message's time. How much of it is there hangs on the
size of what was mapped: a file of 10 MB may fit where a ring of 16 MiB does not. So with `touched` no row has
page faults left to pay for, but some find more in the caches than others; with `cold` none finds anything;
with `steady`, the default, each mapped row has written its own file over nine times before the pass that counts,
so that it finds what it left itself. That is the state of a ring in use; `touched` is that of a short run into
a fresh file, and `cold` that of a machine which does much else in between.
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
