"""Boards of real processes: of this one, and of children that can be stopped and killed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ringlog.bridge.figures import Board, Figures

ADDRESS = "nats://127.0.0.1:4222 ringlog.ring"
CHILD = f"""
from ringlog.bridge.figures import Board, Figures
figures = Figures({{direction!r}}, path, "{ADDRESS}", {{name!r}}, started=time.time(), state="running")
for word in sys.argv[2:]:
    name, _, value = word.partition("=")
    setattr(figures, name, type(getattr(figures, name))(value))
board = Board(figures, 0o600)
board.update(now=True)
say("there")
for line in sys.stdin:
    figures.events += int(line)
    figures.bytes += 100 * int(line)
    board.update(now=True)
    say("done")
board.close()
"""
PUSH = CHILD.format(direction="push", name="bridge")
PULL = CHILD.format(direction="pull", name="")


@contextlib.contextmanager
def bridge(path: str, **changes: Any) -> Iterator[Board]:
    """The board of a push of this process, which runs but for the changes."""
    figures = Figures("push", path, ADDRESS, "bridge", started=time.time(), state="running")
    for name, value in changes.items():
        setattr(figures, name, value)
    board = Board(figures, 0o600)
    board.update(now=True)
    yield board
    board.close()
