"""Pushes, pulls and servers as lines of text: what ``ringlog bridge status`` shows."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from ringlog.bridge.boards import SeenBoard, Severity, printable
from ringlog.bridge.message import Header
from ringlog.cli.figures import short, short_bytes, short_span
from ringlog.cli.people import ago, count
from ringlog.cli.top_lines import MARKS
from ringlog.cli.values import size_text

if TYPE_CHECKING:
    from ringlog.bridge.nats.survey import Survey

_STYLES: dict[Severity, str] = {"": "", "note": "yellow", "problem": "bold reverse"}
_COLUMNS = (
    ("WAY", 4),
    ("STATE", 12),
    ("EV/S", 6),
    ("B/S", 6),
    ("LAG", 6),
    ("BEHIND", 7),
    ("RECON", 5),
    ("GAPS", 5),
    ("MISSING", 7),
)
_INDENT = 5
_LEFT = 2  # columns that are words


def body(
    boards: Sequence[SeenBoard], without: Sequence[str], surveys: Mapping[str, Survey | None], width: int
) -> list[Text]:
    """A block a ring with a line for each push and pull, then the servers."""
    lines = []
    if boards:
        titles = [
            title.ljust(size) if number < _LEFT else title.rjust(size)
            for number, (title, size) in enumerate(_COLUMNS)
        ]
        lines.append(Text("   " + " ".join(titles), style="bold underline"))
    path = ""
    for board in boards:
        if board.figures.path != path:
            path = board.figures.path
            lines.append(Text(printable(path), style="bold"))
        lines += _board(board, width)
    lines += [Text(f"{printable(path)}: no push or pull", style=_STYLES["note"]) for path in without]
    for address, seen in surveys.items():
        lines += _survey(address, seen)
    if not lines:
        lines.append(Text("no push or pull here"))
    for line in lines:
        line.no_wrap = True
        line.truncate(max(width, 80), overflow="ellipsis")
    return lines


def _board(board: SeenBoard, width: int) -> Iterator[Text]:
    figures = board.figures
    runs = board.life == "alive"
    cells = (
        figures.direction,
        board.state,
        short(figures.events_per_second if runs else None),
        short_bytes(figures.bytes_per_second if runs else None),
        short(figures.lag_events),
        short_span(figures.lag_seconds),
        short(figures.reconnects),
        short(figures.gaps),
        short(figures.missing),
    )
    row = [
        cell.ljust(size) if number < _LEFT else cell.rjust(size)
        for number, (cell, (_, size)) in enumerate(zip(cells, _COLUMNS, strict=True))
    ]
    yield Text.assemble((f"{MARKS[board.severity]:<3}", _STYLES[board.severity]), " ".join(row))
    way = "to" if figures.direction == "push" else "from"
    name = f", as reader {figures.name!r}" if figures.name else ""
    yield Text(f"     {way} {printable(figures.address)}{printable(name)}, pid {figures.pid}", style="dim")
    for piece in textwrap.wrap(printable(board.why), max(width, 80) - _INDENT):
        yield Text(" " * _INDENT + piece, style="yellow")


def _survey(address: str, seen: Survey | None) -> Iterator[Text]:
    yield Text(printable(address), style="bold")
    if seen is None:
        yield Text("   nothing was pushed there yet: it has no stream for this subject")
        return
    limit = f" of {size_text(seen.limit)}" if seen.limit else ""
    yield Text(f"   stream {seen.stream}: {count(seen.messages, 'message')}, {size_text(seen.bytes)}{limit}")
    if seen.oldest is not None and seen.newest is not None:
        yield Text(
            f"   events {seen.oldest.sequence} ({_age(seen.oldest)}) to {seen.newest.next - 1} "
            f"({_age(seen.newest)}){', the end' if seen.newest.ended else ''}"
        )
    for one in seen.consumers:
        events = "events unknown" if one.lag_events is None else f"{one.lag_events:,} events"
        behind = "" if not one.lag_seconds else f", {short_span(one.lag_seconds)}"
        state = "" if one.connected else "; nobody takes them just now"
        lag = f"{events}{behind} behind" if one.lag_messages else "has everything"
        yield Text(f"   pulled by {printable(one.name)}: {lag}{state}")


def _age(header: Header) -> str:
    return ago(max(0.0, time.time() - header.time / 1e9))
