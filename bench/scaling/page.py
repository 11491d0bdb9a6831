"""The tables of docs/scaling.md: what stands between `<!-- scaling:NAME -->` and `<!-- /scaling:NAME -->`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bench import method
from bench.scaling.asked import Asked
from bench.scaling.measured import Constants
from bench.scaling.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
BLOCK = re.compile(r"(<!-- scaling:([\w-]+) -->\n)(.*?)(<!-- /scaling:\2 -->)", re.DOTALL)


def filled(text: str, constants: Constants) -> tuple[str, list[str]]:
    """The page with its tables as the simulation has them, and which ones are not what they were."""
    changed = []

    def block(match: re.Match[str]) -> str:
        begin, name, inside, end = match.groups()
        if name not in TABLES:
            raise SystemExit(f"no table is called {name!r}: {', '.join(TABLES)}")
        written = method.table(*TABLES[name][1](constants, Asked())) + "\n"
        if written != inside:
            changed.append(name)
        return begin + written + end

    return BLOCK.sub(block, text), changed


def write(path: Path, constants: Constants) -> list[str]:
    text, changed = filled(path.read_text(encoding="utf-8"), constants)
    if changed:
        path.write_text(text, encoding="utf-8")
    return changed


def check(path: Path, constants: Constants) -> int:
    _, changed = filled(path.read_text(encoding="utf-8"), constants)
    for name in changed:
        print(f"{path}: the table {name!r} is not what the simulation says", file=sys.stderr)
    return 1 if changed else 0
