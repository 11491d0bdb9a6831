"""What the tests of `ringlog top` share: rings, people, and terminals that don't stay behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
sys.path.insert(0, str(Path(__file__).parent))

from cli_command import COMMAND
from top_terminal import Open, Terminal


@pytest.fixture
def terminal() -> Iterator[Open]:
    """Start ``ringlog`` with these arguments in a terminal of its own."""
    terminals: list[Terminal] = []

    def start(
        *arguments: str,
        width: int = 80,
        height: int = 24,
        program: Sequence[str] = COMMAND,
        **changes: str | None,
    ) -> Terminal:
        terminals.append(Terminal([*program, *arguments], width, height, changes))
        return terminals[-1]

    yield start
    for one in terminals:
        one.close()
