"""What becomes of contestants that can't be measured? Their rows say why, and the others go on.

And of those that can: a row with the median of every figure over its rounds, and the spread beside it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib import metadata
from typing import Any

from bench import method
from bench.stamped import Failed

Figures = dict[str, Any]
Row = dict[str, Any]


def attempt(measure: Callable[[], Figures], failures: list[str]) -> Figures | None:
    """A sample; none if it could not be taken, or could not before."""
    if failures:
        return None
    try:
        return measure()
    except (Failed, OSError, subprocess.SubprocessError) as error:
        failures.append(str(error))
        return None


def merged(row: Row, samples: list[Figures | None], failures: list[str]) -> Row:
    """A row: of each figure the median of its rounds, and the spread beside it."""
    taken = [sample for sample in samples if sample is not None]
    row |= {"note": failures[0] if failures else "", "samples": taken}
    if not taken:
        return row
    spreads = {
        name: method.Spread.of([sample[name] for sample in taken])
        for name in taken[0]
        if all(isinstance(sample[name], (int, float)) for sample in taken)
    }
    row |= {name: spread.median for name, spread in spreads.items()}
    row |= {"spread": {name: spread.record() for name, spread in spreads.items()}}
    return row


def versions(libraries: set[str]) -> dict[str, str]:
    known = {}
    for library in sorted(libraries - {"python"}):
        try:
            known[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            known[library] = "not installed"
    return known
