"""What a part of the page consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import words
from bench.report.drawing import Dots, Line, Lines, Plot
from bench.report.records import Bar, Cell
from bench.report.tables import Table

__all__ = ["COST", "Bar", "Cell", "Dots", "Line", "Lines", "Plot", "Section", "duration_us", "share"]


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph on what is measured and how, plots, and the figures beneath them."""

    verb: str
    title: str
    text: str
    plots: Sequence[Plot] = ()
    tables: Sequence[tuple[str, Table]] = ()
    bars: Sequence[Bar] = ()
    remarks: Sequence[str] = ()
    more: Sequence[Plot] = ()  # plots that are shown when asked for


def lost(cell: Cell) -> str:
    return words.part(cell.lost) if cell.lost else ""


def cpu(cell: Cell) -> str:
    if cell.sender is None or cell.reader is None:
        return ""
    return " + ".join(words.count(each).replace(" ", "") for each in (cell.sender, cell.reader))


COST = (("lost", lost), ("CPU ns", cpu))  # what a figure cost and lost, so that nobody is flattered


def duration_us(us: float) -> str:
    return words.duration(1e3 * us)


def share(ours: Sequence[Cell], theirs: Sequence[Cell]) -> str:
    """How many times as much ours do as the best of the others, in words."""
    if not ours or not theirs:
        return ""
    ratio = max(cell.value for cell in ours) / max(cell.value for cell in theirs)
    return f"{words.figures(ratio)} times as many"
