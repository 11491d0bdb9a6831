"""How plots are drawn: contestants as dots on a scale, and lines that grow; ours stands out, in any light.

Every colour stands for a role, and is a value that occurs nowhere else. So a page can put a variable in its
place (`inlined`) and have the same drawing for light and for dark. Roles differ in form too (filled or not,
solid or dashed), so nothing hangs on seeing colours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.report.records import Cell

# Okabe and Ito's colours for what must be told apart, darkened where they are too pale on white.
ROLES = {
    "ink": "#1b1f25",
    "soft": "#69727e",
    "grid": "#e2e5e9",
    "paper": "#fffffe",
    "ours": "#0068b2",
    "theirs": "#87909b",
    "second": "#c65102",
    "third": "#008f68",
    "fourth": "#b05a8a",
}
DARK = {
    "ink": "#e8eaed",
    "soft": "#9aa4b0",
    "grid": "#30363e",
    "paper": "#15181d",
    "ours": "#58b2f5",
    "theirs": "#7d8793",
    "second": "#f0883e",
    "third": "#3fc79a",
    "fourth": "#e29ac4",
}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": ROLES["soft"],
    "axes.labelcolor": ROLES["soft"],
    "axes.facecolor": ROLES["paper"],
    "figure.facecolor": ROLES["paper"],
    "text.color": ROLES["ink"],
    "xtick.color": ROLES["soft"],
    "ytick.color": ROLES["soft"],
    "xtick.labelcolor": ROLES["soft"],
    "ytick.labelcolor": ROLES["soft"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": ROLES["grid"],
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "svg.hashsalt": "ringlog",  # the same drawing is the same file
}
Format = Callable[[float], str]
WIDE = 10.4  # inches


@dataclass(frozen=True)
class Dots:
    """One scale with a dot for each contestant, the best on top."""

    title: str
    unit: str
    cells: Sequence[Cell]
    form: Format
    columns: Sequence[tuple[str, Callable[[Cell], str]]] = ()  # in small print to the right of the scale


@dataclass(frozen=True)
class Line:
    """One line: what it is called, where it runs, and how it looks."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    role: str = "theirs"
    dashed: bool = False


@dataclass(frozen=True)
class Lines:
    """One pair of axes with lines."""

    title: str
    x_label: str
    unit: str
    lines: Sequence[Line]
    x_form: Format
    y_form: Format
    x_log: bool = True
    y_log: bool = True
    named_at_end: bool = False  # each line named at its end; otherwise in a legend
    ticks: Sequence[float] = ()
    marks: Sequence[tuple[float, str]] = ()  # upright lines that say where something ends


@dataclass(frozen=True)
class Plot:
    """A file: panels side by side under one title."""

    name: str
    title: str
    panels: Sequence[Dots | Lines]
    across: int = 2


def drawn(plot: Plot, machine: str) -> Figure:
    across = min(plot.across, len(plot.panels))
    rows = [plot.panels[at : at + across] for at in range(0, len(plot.panels), across)]
    heights = [max(height(panel) for panel in row) for row in rows]
    edge = 0.95  # inches for the title and the small print
    with matplotlib.rc_context(STYLE):
        share = edge / (sum(heights) + edge)
        room = (0.008, 0.32 * share, 0.984, 1 - share)
        layout = ConstrainedLayoutEngine(rect=room, w_pad=0.12, h_pad=0.1)
        figure = Figure(figsize=(WIDE, sum(heights) + edge), layout=layout)
        figure.text(
            0.012,
            1 - 0.33 * share,
            plot.title,
            size=min(14, 1100 / len(plot.title)),
            weight="bold",
            va="center",
        )
        figure.text(0.012, 0.16 * share, machine, size=7, color=ROLES["soft"], va="center")
        grid = figure.add_gridspec(len(rows), across, height_ratios=heights)
        for y, row in enumerate(rows):
            for x, panel in enumerate(row):
                axes = figure.add_subplot(grid[y, x])
                if isinstance(panel, Dots):
                    draw_dots(axes, panel)
                else:
                    draw_lines(axes, panel)
                axes.set_title(panel.title, loc="left", size=10, color=ROLES["ink"], pad=9)
    return figure


def height(panel: Dots | Lines) -> float:
    return 0.95 + 0.27 * len(panel.cells) if isinstance(panel, Dots) else 3.5


def scaled(axis: Any, form: Format, most: int = 9) -> None:
    """A log axis that has figures at its powers of ten, or more often where it is short."""
    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > 300 else (1.0, 3.0) if high / low > 12 else (1.0, 2.0, 5.0)
    axis.set_major_locator(ticker.LogLocator(10, steps, numticks=most))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(plain(form))


def plain(form: Format) -> ticker.FuncFormatter:
    """Figures at an axis: without the noughts that say how exact a measured one is."""
    return ticker.FuncFormatter(lambda value, _: re.sub(r"\.0+(?!\d)", "", form(value)))


def draw_dots(axes: Axes, panel: Dots) -> None:
    cells = panel.cells
    values = [max(cell.value, 1e-9) for cell in cells]
    least, most = min(values), max(values)
    room = max(most / least, 3.0)
    axes.set_xscale("log")
    limits = least / room**0.1, most * room**0.1 * max(room, 30.0) ** 0.45  # figures stand behind the dots
    axes.set_xlim(*limits)
    axes.set_ylim(len(cells) - 0.4, -0.6)
    for place, (cell, value) in enumerate(zip(cells, values, strict=True)):
        role = ROLES["ours" if cell.ours else "theirs"]
        axes.plot([axes.get_xlim()[0], value], [place, place], color=role, lw=1.1, alpha=0.35, zorder=1)
        if cell.spread:
            low, high = (max(each, 1e-9) for each in cell.spread)
            axes.plot([low, high], [place, place], color=role, lw=5, alpha=0.35, zorder=2)
        face = ROLES["paper"] if cell.lost else role
        axes.plot([value], [place], "o", ms=6.5, mec=role, mew=1.6, mfc=face, zorder=3)
        axes.annotate(
            panel.form(cell.value),
            (value, place),
            (8, 0),
            textcoords="offset points",
            va="center",
            size=8.5,
            weight="bold" if cell.ours else "normal",
        ).set_in_layout(False)
    for number, (head, words) in enumerate(panel.columns):
        for place, text in ((-1, head), *((place, words(cell)) for place, cell in enumerate(cells))):
            axes.annotate(text, (1, place), (34 + 58 * number, 0), xycoords=axes.get_yaxis_transform(),
                          textcoords="offset points", ha="right", va="center", size=7, color=ROLES["soft"],
                          annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(cells)), [shortened(cell.name) for cell in cells])
    for label, cell in zip(axes.get_yticklabels(), cells, strict=True):
        label.set_color(ROLES["ours"] if cell.ours else ROLES["ink"])
        label.set_fontweight("bold" if cell.ours else "normal")
        label.set_fontsize(8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    scaled(axes.xaxis, panel.form, 5)
    ticks = [tick for tick in axes.get_xticks() if least / 3 <= tick <= most * 3]
    axes.set_xticks(ticks[:: 1 + (len(ticks) - 1) // 3])  # the axis is as short as the names are long
    axes.set_xlim(*limits)
    axes.set_xlabel(panel.unit, size=8, loc="left")


def shortened(name: str) -> str:
    return name if len(name) <= 36 else name[:35] + "…"


MARKERS = {"ours": "o", "theirs": "s", "second": "s", "third": "^", "fourth": "D"}


def draw_lines(axes: Axes, panel: Lines) -> None:
    if panel.x_log:
        axes.set_xscale("log")
    if panel.y_log:
        axes.set_yscale("log")
    for line in panel.lines:
        colour = ROLES[line.role]
        quiet = line.role == "theirs"
        if line.low and line.high and not quiet:
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, lw=0)
        axes.plot(
            line.x,
            line.y,
            color=colour,
            lw=1.1 if quiet else 2.0,
            ls=(0, (4, 2)) if line.dashed else "-",
            marker=MARKERS[line.role],
            ms=3 if quiet else 5,
            mfc=ROLES["paper"] if line.dashed else colour,
            label=line.label,
            zorder=2 if quiet else 3,
        )
    if panel.ticks:
        axes.set_xticks(panel.ticks, [panel.x_form(each) for each in panel.ticks])
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    else:
        scaled(axes.xaxis, panel.x_form)
    if panel.y_log:
        scaled(axes.yaxis, panel.y_form)
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(plain(panel.y_form))
    for where, words in panel.marks:
        axes.axvline(where, color=ROLES["soft"], lw=0.9, ls=":")
        axes.annotate(words, (where, 1), (3, -2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", va="top", size=7, color=ROLES["soft"])  # fmt: skip
    axes.grid(axis="y")
    axes.set_xlabel(panel.x_label, size=8)
    axes.set_ylabel(panel.unit, size=8)
    if panel.named_at_end:
        name_ends(axes, panel.lines)
    else:
        axes.legend(frameon=False, fontsize=7.5, labelcolor=ROLES["ink"])


def name_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Each line's name beside its last point, moved apart where two would lie on each other."""
    last = max(line.x[-1] for line in lines)
    for line in lines:
        if line.x[-1] < last:  # it ends before the others, and is named there
            axes.annotate(line.label, (line.x[-1], line.y[-1]), (5, 6), textcoords="offset points", size=7.5,
                          color=ROLES["soft"])  # fmt: skip
    lines = [line for line in lines if line.x[-1] == last]
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = sorted((float(to_axes.transform((line.x[-1], line.y[-1]))[1]), line.label, line) for line in lines)
    gap = 0.052
    places: list[float] = []
    for end, _, _ in ends:
        places.append(max(end, places[-1] + gap) if places else end)
    over = max(0.0, (places[-1] if places else 0) - 1.0)
    places = [place - over for place in places]
    for at in range(len(places) - 2, -1, -1):
        places[at] = min(places[at], places[at + 1] - gap)
    for place, (_, label, line) in zip(places, ends, strict=True):
        axes.annotate(
            shortened(label), (line.x[-1], line.y[-1]), (1.03, place), textcoords="axes fraction",
            va="center", size=7.5, color=ROLES["ours" if line.role == "ours" else "soft"],
            annotation_clip=False,
            weight="bold" if line.role == "ours" else "normal",
            arrowprops={"arrowstyle": "-", "color": ROLES["grid"], "lw": 0.8, "relpos": (0, 0.5)},
        )  # fmt: skip
