"""Reading boards: what each push and pull of a ring last said of itself, and whether it still runs.

Any user who may write to a folder may put a file there, and a killed process may leave half of one: so
nothing of a board is believed before it was checked, and what can't be believed is no board.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args, get_type_hints

from ringlog import liveness
from ringlog.bridge.figures import ENDING, INTERVAL, Figures, State, board_path, pid_namespace
from ringlog.files import StrPath
from ringlog.words import count, span

Severity = Literal["", "note", "problem"]
Life = Literal["alive", "over", "suspended", "killed", "silent"]
BoardState = Literal[State, "suspended", "killed", "silent"]
STATES: tuple[BoardState, ...] = (*get_args(State), "suspended", "killed", "silent")
LAST_WORDS = ("ended", "stopped", "failed")
LARGEST = 64 << 10  # bytes of a board
LONGEST = 4096  # characters of a text in it
SILENT = 10 * INTERVAL  # seconds without new figures
PATIENCE = 5.0  # seconds that it may be disconnected or blocked before that is a problem
LATE = 10.0  # seconds of lag that are worth a word
_NAME = re.compile(r"\..+\.(push|pull)(-.+)?" + re.escape(ENDING))
_TYPES: dict[str, Any] = get_type_hints(Figures)


@dataclass(frozen=True)
class SeenBoard:
    """A board that was read. file: its path. figures: as they stood there, with the path that was asked for.

    life: "alive"; "over": it has ended, and said how; "suspended": by a signal, a debugger, or its container;
    "killed": its process is gone and has left the board; "silent": its process can't be seen from here, and
    has written nothing for a while.
    age: seconds since the figures were written.
    """

    file: str
    figures: Figures
    life: Life
    age: float

    @property
    def state(self) -> BoardState:
        """What it last said, unless it can't say anything any more."""
        return self.figures.state if self.life == "alive" or self.life == "over" else self.life

    @property
    def up(self) -> bool:
        """Does it run, and is it connected?"""
        return self.state in ("running", "blocked")

    @property
    def severity(self) -> Severity:
        """A "problem" holds events up until a person does something; a "note" is worth knowing."""
        if self.state in ("killed", "suspended", "silent", "failed"):
            return "problem"
        if self.state in ("disconnected", "blocked", "connecting"):
            return "problem" if self.in_state > PATIENCE else "note"
        return "note" if self.figures.missing or self.late else ""

    @property
    def late(self) -> bool:
        """Are there events that should have been passed on for a while?"""
        return self.figures.lag_events > 0 and self.figures.lag_seconds > LATE

    @property
    def in_state(self) -> float:
        """Seconds that it had been in its state when it wrote this, and since."""
        since = self.figures.state_since or self.figures.started
        return max(0.0, self.figures.updated + self.age - since)

    @property
    def why(self) -> str:
        """What is to be said about it, in words; "" if nothing is."""
        figures = self.figures
        said = []
        if figures.state == "failed":
            said.append(f"failed {span(self.age)} ago")
        elif self.life == "killed":
            said.append(f"killed about {span(self.age)} ago; start it again, it goes on where it was")
        elif self.life == "suspended":
            said.append(f"stopped by a signal or a debugger; kill -CONT {figures.pid}")
        elif self.life == "silent":
            said.append(f"nothing new for {span(self.age)}, and its process can't be seen from here")
        elif figures.state in ("disconnected", "blocked", "connecting"):
            said.append(f"{figures.state} for {span(self.in_state)}")
        if figures.note and self.life in ("alive", "over"):
            said.append(figures.note)
        if figures.lag_events and (self.life != "alive" or self.late):
            what = "lag was" if self.life in ("over", "killed", "silent") else "lag is"
            said.append(f"{what} {count(figures.lag_events, 'event')}, {span(figures.lag_seconds)}")
        if figures.missing:
            many = f"{figures.missing:,} event{'' if figures.missing == 1 else 's'}"
            said.append(f"{many} missing in {count(figures.gaps, 'gap')}")
        return "; ".join(said)


def boards_of(path: StrPath) -> list[SeenBoard]:
    """Every push and pull of the ring or log at `path`, in order. Never waits, and raises nothing."""
    folder, base = os.path.split(os.path.abspath(os.fspath(path)))
    return [board for board in boards_in(folder) if os.path.basename(board.figures.path) == base]


def boards_in(folder: str) -> list[SeenBoard]:
    """Those of all rings and logs that lie in this very folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return _read([os.path.join(folder, name) for name in names if _NAME.fullmatch(name)])


def boards_below(folder: str) -> list[SeenBoard]:
    """Those of all rings and logs in this folder and in those below it; symbolic links are not followed."""
    return _read(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if _NAME.fullmatch(name)
    )


def _read(files: Iterable[str]) -> list[SeenBoard]:
    boards = (read_board(file) for file in files)
    return sorted(
        (board for board in boards if board is not None), key=lambda one: (one.figures.path, one.file)
    )


def read_board(file: str) -> SeenBoard | None:
    """What this file says; None if it is no board, or gone."""
    text = _text_of(file)
    figures = None if text is None else _figures(text)
    if figures is None:
        return None
    folder, name = os.path.split(file)
    figures.path = os.path.join(folder, os.path.basename(figures.path))
    if os.path.basename(board_path(figures.path, figures.direction, figures.name)) != name:
        return None  # of another ring, whose name only looks like this one's
    age = max(0.0, time.time() - figures.updated)
    return SeenBoard(file, figures, _life(figures, age), age)


def _life(figures: Figures, age: float) -> Life:
    if figures.state in LAST_WORDS:
        return "over"
    if figures.namespace and figures.namespace != pid_namespace():
        return "alive" if age < SILENT else "silent"
    seen = liveness.seen_as(
        liveness.Identity(figures.pid, int(figures.started * 1_000_000_000), figures.since_boot)
    )
    if seen is None or seen.state in ("Z", "X"):
        return "killed"
    return "suspended" if seen.state in liveness.STOPPED else "alive"


def _text_of(file: str) -> bytes | None:
    with contextlib.suppress(OSError):
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                text = os.read(fd, LARGEST + 1)
                return text if len(text) <= LARGEST else None
        finally:
            os.close(fd)
    return None


def _figures(text: bytes) -> Figures | None:
    """Fields that we don't know are left out, those that are missing have their defaults: so boards of other
    releases are read too."""
    try:
        said = json.loads(text, parse_constant=_no_number)
        if not isinstance(said, dict):
            return None
        known = {field.name: said[field.name] for field in dataclasses.fields(Figures) if field.name in said}
        checked: dict[str, Any] = {name: _checked(value, _TYPES[name]) for name, value in known.items()}
        return Figures(**checked)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no figure")


def _checked(value: object, kind: Any) -> object:
    """The value, if a figure of this kind can be so. Raises ValueError, TypeError."""
    if kind is int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
            raise ValueError("no count")
        return value
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError("no number")
        number = float(value)
        if not math.isfinite(number) or not 0 <= number < 1e12:
            raise ValueError("no time")
        return number
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError("no text")
    if kind is not str and value not in get_args(kind):
        raise ValueError("not one of the words")
    return value


def printable(text: str) -> str:
    """A text of a board as a terminal may be given it."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
