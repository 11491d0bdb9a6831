"""The README's tables, from the records: what stands between a marker and its end is written by `report`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from bench import method
from bench.report.records import Record
from bench.report.tables import TABLES

BLOCK = re.compile(r"(<!-- bench:([\w-]+) -->\n)(.*?)(<!-- /bench:\2 -->)", re.DOTALL)


def filled(text: str, found: dict[str, Record]) -> tuple[str, list[str]]:
    """A README with its tables as the records have them, and which ones are not what they were."""
    changed = []

    def block(match: re.Match[str]) -> str:
        begin, name, inside, end = match.groups()
        if name not in TABLES:
            raise SystemExit(f"no table is called {name!r}: {', '.join(TABLES)}")
        verb, make = TABLES[name]
        written = table(make, found[verb]) if verb in found else inside
        if written != inside:
            changed.append(name)
        return begin + written + end

    return BLOCK.sub(block, text), changed


def table(make: Callable[[Record], tuple[list[str], list[list[str]]]], record: Record) -> str:
    head, rows = make(record)
    return method.table(head, rows) + "\n" if rows else ""


def write(path: Path, found: dict[str, Record]) -> list[str]:
    text = path.read_text(encoding="utf-8")
    new, changed = filled(text, found)
    if changed:
        path.write_text(new, encoding="utf-8")
    return changed


def check(path: Path, found: dict[str, Record]) -> int:
    _, changed = filled(path.read_text(encoding="utf-8"), found)
    for name in changed:
        print(f"{path}: the table {name!r} is not what its record says", file=sys.stderr)
    return 1 if changed else 0
