"""The steps at which a writer can be killed: the named points of the core's test build."""

from __future__ import annotations

import re
from pathlib import Path

HEADER = Path(__file__).parent.parent / "_native/include/ringlog/points.h"


def points() -> list[str]:
    """Every name that `kill_writer_at` knows, in about the order in which they are passed.

    A name says what was done just before: at "entry_copied" an event's bytes stand in the ring and nobody
    knows of it yet, at "head_stored" it is published, at "unlock_released" the lock is free again. Reads the
    headers that are installed with ringlog; builds nothing.
    """
    text = HEADER.read_text()
    table = text[text.index("#define RL_POINTS(X)") : text.index("#define RL_POINT_NUMBER")]
    steps = re.findall(r"X\(pair##_(\w+)\)", text)
    found = []
    for pair, name in re.findall(r"RL_POINTS_OF_PAIR\(X, (\w+)\)|\bX\((\w+)\)", table):
        found += [f"{pair}_{step}" for step in steps] if pair else [name]
    return found
