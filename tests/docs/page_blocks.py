"""The fenced blocks of a page of the documentation: what is run, and what it is said to print.

    ```python                        run in the page's own process, one after the other, names kept
    ```python title="reader.py"      a file beside it
    ```text                          straight behind a python block: what that prints; `...` is anything
    ```console title="a terminal"    typed into the terminal of that name; `$ ` is its prompt
    ```py                            a fragment that can't stand alone: it only has to be Python

Everything else is for people: `sh`, `ini`, `c`, ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(?P<language>\w+)?(?:\s+title=\"(?P<title>[^\"]*)\")?[^`]*$")


@dataclass(frozen=True)
class Block:
    """line: where it begins in the page, from 1. follows: only blank lines are between it and the last."""

    language: str
    title: str
    text: str
    line: int
    follows: bool


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order. Raises ValueError for one without an end."""
    found: list[Block] = []
    inside: list[str] | None = None
    language = title = ""
    began, between = 0, False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if inside is not None:
            if line.strip() == "```":
                found.append(Block(language, title, "".join(inside), began + 1, follows=not between))
                inside, between = None, False
            else:
                inside.append(line + "\n")
        elif match := FENCE.match(line):
            language, title = match["language"] or "", match["title"] or ""
            inside, began = [], number
        elif line.strip():
            between = True
    if inside is not None:
        raise ValueError(f"{page}: the block of line {began} has no end")
    return found


def pages_that_run() -> list[str]:
    """Pages with something to run, as paths in docs/; all of these are tested."""
    if not DOCS.is_dir():
        return []
    every = sorted(DOCS.rglob("*.md"))
    return [
        str(page.relative_to(DOCS))
        for page in every
        if any(block.language in ("python", "console") for block in blocks(page))
    ]
