"""The pushes and pulls of the rings that are looked at, by the boards that they keep beside them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from ringlog.bridge.boards import SeenBoard, boards_in
from ringlog.observing.sample import BridgeSample


def bridges_of(paths: Iterable[str]) -> dict[str, tuple[BridgeSample, ...]]:
    """Those of these rings; each folder is looked into once. Raises nothing."""
    rings = set(paths)
    found: dict[str, list[BridgeSample]] = defaultdict(list)
    for folder in {os.path.dirname(path) for path in rings}:
        for board in boards_in(folder):
            if board.figures.path in rings:
                found[board.figures.path].append(_sample(board))
    return {path: tuple(samples) for path, samples in found.items()}


def _sample(board: SeenBoard) -> BridgeSample:
    figures = board.figures
    return BridgeSample(
        direction=figures.direction,
        name=figures.name,
        address=figures.address,
        pid=figures.pid,
        state=board.state,
        up=board.up,
        events=figures.events,
        bytes=figures.bytes,
        messages=figures.messages,
        in_flight=figures.in_flight,
        lag_events=figures.lag_events,
        lag_seconds=figures.lag_seconds,
        gaps=figures.gaps,
        missing=figures.missing,
        duplicates=figures.duplicates,
        reconnects=figures.reconnects,
        age=board.age,
        severity=board.severity,
        why=board.why,
    )
