"""The rows of the seed's table: one file a kind, each ending in its `ROWS`."""

from __future__ import annotations

from bench.rows import buffered, channel, compiled, mapped, ring, sequential
from bench.rows.row import Row

ROWS: list[Row] = [
    *sequential.ROWS,
    *buffered.ROWS,
    *channel.ROWS,
    *mapped.ROWS,
    *compiled.ROWS,
    *ring.ROWS,
]

__all__ = ["ROWS", "Row"]
