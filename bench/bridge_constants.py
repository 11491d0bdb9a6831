"""What a message and a byte cost push and pull, fitted to the runs; and what `bench scaling` takes of it.

Runs at full speed have large messages, runs at a rate have small ones, so that the two can be told apart.
"""

from __future__ import annotations

import numpy as np

from bench.attempts import Row
from bench.scaling.measured import Constants

CLIENT = {"push": "publish", "pull": "receive"}  # what the client does for each, as bench.scaling calls it


def costs(rows: list[Row], late: list[Row]) -> dict[str, dict[str, float]]:
    """Of push and pull: seconds a message and seconds a byte of stream. Empty without enough runs."""
    runs = [
        (sample, sample.get("events", sample.get("sent")))
        for row in (*rows, *late)
        if row["key"] == "rings"
        for sample in row["samples"]
    ]
    if len({sample["message"] for sample, _ in runs}) < 2:
        return {}
    found = {}
    for role in CLIENT:
        seconds = np.array([sample[f"{role}_cpu"] * events / 1e9 for sample, events in runs])
        table = np.array([[sample["messages"], sample["messages"] * sample["message"]] for sample, _ in runs])
        # Each run weighs the same, however much it sent.
        weights = 1 / np.maximum(seconds, 1e-3)
        message, byte = np.linalg.lstsq(table * weights[:, None], seconds * weights, rcond=None)[0]
        found[role] = {"message": max(0.0, float(message)), "byte": max(0.0, float(byte))}
    return found


def for_scaling(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Under the simulation's names: of push and pull each, without what their client alone takes; below
    nothing where they do without it, as for the bytes of large messages."""
    known = Constants()
    return {
        f"{role}_{part}": cost - known[f"{CLIENT[role]}_{part}"]
        for role, parts in found.items()
        for part, cost in parts.items()
    }
