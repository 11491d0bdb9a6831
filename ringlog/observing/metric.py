"""What a metric is: a figure of one kind of thing, and how a sample gives its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ringlog.observing.sample import Sample

Point = tuple[tuple[str, ...], float]  # the values of the labels, and the figure
Unit = Literal["", "bytes", "seconds", "ratio"]


@dataclass(frozen=True)
class Metric:
    """subject: what it is a figure of. points: of a sample, as many as there are subjects."""

    subject: Literal["ring", "writer", "reader", "bridge", "exporter"]
    figure: str
    counts: bool
    unit: Unit
    text: str
    labels: tuple[str, ...]
    points: Callable[[Sample], Iterable[Point]]

    @property
    def name(self) -> str:
        """As Prometheus has it, without the `_total` of what counts; the unit comes last, and once."""
        end = "" if not self.unit or self.figure == self.unit else f"_{self.unit}"
        return f"ringlog_{self.subject}_{self.figure}{end}"
