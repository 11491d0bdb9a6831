"""The saved records, read with tolerance: a missing file, row or figure is left out, never made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def load(folder: Path) -> dict[str, Record]:
    """Each record by the name of its file, in the order of the names."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict):
            found[path.stem] = record
    return found


def middle(value: Any) -> float | None:
    """A figure, or the median of a spread; None where there is none."""
    if isinstance(value, dict):
        value = value.get("median")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def width(value: Any) -> tuple[float, float] | None:
    """The quartiles of a spread."""
    if isinstance(value, dict) and "low" in value and "high" in value:
        return float(value["low"]), float(value["high"])
    return None


def is_ours(row: Record) -> bool:
    return str(row.get("library") or row.get("peer", "")).startswith("ringlog")


@dataclass(frozen=True)
class Cell:
    """One figure of one contestant: what it did, and what it lost doing so."""

    name: str
    ours: bool
    value: float
    spread: tuple[float, float] | None = None
    lost: float = 0.0
    sender: float | None = None  # ns of CPU a message
    reader: float | None = None
    row: Record = field(default_factory=dict, compare=False)

    @property
    def contestant(self) -> str:
        """The library; of ours, and of the standard library's, the idiom."""
        library = self.row.get("library")
        return self.name if self.ours or library in (None, "python") else str(library)


def best_of_each(rows: Iterable[Record], size: int, readers: int) -> list[Cell]:
    """The fastest idiom of each library, and each idiom of ringlog; the fastest first."""
    best: dict[str, Cell] = {}
    for row in rows:
        rate = middle(row.get("events_per_second"))
        if rate is None or row.get("size") != size or row.get("readers") != readers:
            continue
        cell = Cell(
            str(row.get("peer", "?")),
            is_ours(row),
            rate,
            width(row["events_per_second"]),
            middle(row.get("lost")) or 0.0,
            middle(row.get("sender_cpu_ns")),
            middle(row.get("reader_cpu_ns")),
            row,
        )
        if cell.contestant not in best or best[cell.contestant].value < rate:
            best[cell.contestant] = cell
    return sorted(best.values(), key=lambda cell: -cell.value)


def notes(rows: Iterable[Record]) -> dict[str, str]:
    """What did not go as it should, in the record's own words, by contestant."""
    said: dict[str, str] = {}
    for row in rows:
        if row.get("note"):
            said.setdefault(str(row.get("peer", "?")), str(row["note"]))
    return said


@dataclass(frozen=True)
class Bar:
    """A ratio that was asked for."""

    what: str
    ratio: str
    asked: str
    held: bool | None
    beside: str = ""


def bars(record: Record) -> list[Bar]:
    """The bars of a record, whichever of the usual words it has for them."""
    told = record.get("bars") or []
    if isinstance(told, dict):
        told = [
            {"what": what, **(bar if isinstance(bar, dict) else {"ratio": bar})} for what, bar in told.items()
        ]
    return [_bar(bar) for bar in told if isinstance(bar, dict)]


def _bar(bar: Record) -> Bar:
    def first(*names: str) -> Any:
        return next((bar[name] for name in names if bar.get(name) is not None), None)

    what, ours, theirs = first("what", "bar", "name"), first("by", "peer"), first("best_peer", "against")
    if what is None and "size" in bar:
        readers = "one reader" if bar.get("readers") == 1 else f"{bar.get('readers')} readers"
        what = f"{bar['size']:,} bytes to {readers}"
    pair = " against ".join(str(name) for name in (ours, theirs) if name)
    ratio, least = first("ratio"), first("wanted", "asked", "needed")
    most, held = first("allowed"), first("holds", "held")
    if ratio is None and isinstance(bar.get("ringlog"), float):
        ratio = bar["ringlog"]  # a figure of its own against a limit
    elif least is None and most is None and "theirs" in bar:
        most = 1  # a time, by the best of the others
    if held is None and isinstance(ratio, (int, float)) and isinstance(least, (int, float)):
        held = ratio >= least
    widest = first("ratio_any")
    asked = f"at least {least:g}" if isinstance(least, (int, float)) else ""
    return Bar(
        f"{what or '?'}{f': {pair}' if pair else ''}",
        (f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}") if isinstance(ratio, (int, float)) else "-",
        f"at most {most:g}" if isinstance(most, (int, float)) else asked,
        None if held is None else bool(held),
        f"{widest:.2f} against the best in any idiom" if isinstance(widest, (int, float)) else "",
    )
