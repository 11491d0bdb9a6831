"""``ringlog info``: what a ring holds, who writes it and who reads it."""

from __future__ import annotations

import os
from typing import Any

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import explained
from ringlog.cli.formats import iso_time
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.people import ago, span, who
from ringlog.cli.values import RING, size_text

FIRST_ENTRY = 24  # the position of a stream's first entry

Row = tuple[str, ...]
_PROCESS = ("LEASE", "STARTED", "PROCESS")


@click.command(
    "info",
    short_help="Show what a ring holds, who writes it and who reads it.",
    epilog=manual(
        ("ringlog info /dev/shm/ticks", ""),
        ("ringlog info /dev/shm/ticks --json | jq .readers[].lag", "for programs"),
        codes=DATA_CODES,
    ),
)
@click.argument("path", type=RING)
@output.json_option
def command(path: str, as_json: bool) -> None:
    """Show what the ring at PATH holds, who writes it and who reads it.

    A snapshot, for which read permission is enough. A writer or reader is active (within the last
    second), idle, stopped (by a signal such as Ctrl-Z) or dead; lag is in events, behind the age of the
    first event that a reader has not finished. Whether any of it is a problem: ringlog doctor.
    """
    with explained(path):
        info = ringlog.info(path)
    if as_json:
        output.print_json(_as_dict(info))
    elif output.is_terminal(output.STDOUT):
        _show(info)
    else:
        output.Output().write(_plain(info).encode(errors="surrogateescape"))


def _as_dict(info: ringlog.RingInfo) -> dict[str, Any]:
    return {
        "path": os.fspath(info.path),
        "stream_id": info.stream_id,
        "version": info.version,
        "capacity": info.capacity,
        "data_start": info.data_start,
        "write_offset": info.write_offset,
        "event_count": info.event_count,
        "start_timestamp": info.start_timestamp,
        "tail_offset": info.tail_offset,
        "tail_count": info.tail_count,
        "ended": info.ended,
        "writer": None if info.writer is None else _writer(info.writer),
        "writers": [_writer(writer) for writer in info.writers],
        "readers": [
            {
                "name": reader.name,
                "pid": reader.pid,
                "state": reader.state,
                "lossless": reader.lossless,
                "sequence": reader.sequence,
                "lag": reader.lag,
                "behind": reader.behind,
                "fill": reader.fill,
                "holds_up": reader.holds_up,
                "started": reader.started,
                "leased": reader.leased,
                "process": reader.process,
            }
            for reader in info.readers
        ],
    }


def _writer(writer: ringlog.WriterInfo) -> dict[str, Any]:
    return {
        "pid": writer.pid,
        "state": writer.state,
        "age": writer.age,
        "holds_lock": writer.holds_lock,
        "started": writer.started,
        "leased": writer.leased,
        "process": writer.process,
    }


def _facts(info: ringlog.RingInfo) -> list[Row]:
    """The ring itself, as names and values."""
    began = f", since {iso_time(info.start_timestamp)}" if info.start_timestamp > 0 else ""
    kept = info.event_count - info.tail_count
    window = f"events {info.tail_count} to {info.event_count - 1}" if kept else "empty"
    used = info.write_offset - info.tail_offset
    if info.writer is not None:
        writer = f"pid {info.writer.pid}, {info.writer.state}, {ago(info.writer.age)}"
    else:
        dead = [str(other.pid) for other in info.writers if other.state == "dead"]
        writer = "the last one has closed" if info.event_count else "none yet"
        if dead:
            writer += f"; died without closing: pid {', '.join(dead)}"
    return [
        ("stream", f"{info.stream_id}, version {info.version}, {'ended' if info.ended else 'open'}"),
        ("capacity", f"{size_text(info.capacity)} ({info.capacity} bytes)"),
        ("events", f"{info.event_count} ({size_text(info.write_offset - FIRST_ENTRY)}){began}"),
        ("window", f"{window}: {kept} events, {size_text(used)}, {used / info.capacity:.0%} full"),
        ("tail", f"event {info.tail_count}, position {info.tail_offset}"),
        ("head", f"event {info.event_count}, position {info.write_offset}"),
        ("writer", writer),
    ]


def _writer_rows(info: ringlog.RingInfo) -> list[Row]:
    rows = [
        (
            str(writer.pid),
            writer.state,
            ago(writer.age),
            ("left" if writer.state == "dead" else "held") if writer.holds_lock else "-",
            *_process(writer),
        )
        for writer in info.writers
    ]
    return [("WRITER PID", "STATE", "PUBLISHED", "LOCK", *_PROCESS), *rows] if rows else []


def _process(one: ringlog.WriterInfo | ringlog.ReaderInfo) -> Row:
    started = iso_time(int(one.started) * 1_000_000_000)[:19] + "Z" if one.started else "-"
    return ("held" if one.leased else "gone", started, one.process or "-")


def _reader_rows(info: ringlog.RingInfo) -> list[Row]:
    rows = [
        (
            str(reader.pid) if reader.pid else "-",
            "away" if reader.name and reader.state == "dead" else reader.state,
            _printable(reader.name) if reader.name else "-",
            "lossless" if reader.lossless else "lossy",
            str(reader.sequence),
            str(reader.lag),
            span(reader.behind) if reader.lag and reader.behind is not None else "-",
            *_process(reader),
        )
        for reader in info.readers
    ]
    return (
        [("READER PID", "STATE", "NAME", "KIND", "NEXT", "LAG", "BEHIND", *_PROCESS), *rows] if rows else []
    )


def _remarks(info: ringlog.RingInfo) -> list[str]:
    return [f"a writer waits for {_printable(who(reader))}" for reader in info.readers if reader.holds_up]


def _fit(rows: list[Row], width: int) -> list[Row]:
    """Without the columns that a person needs least, where there is no room for all of them."""
    for title in ("STARTED", "LEASE", "KIND"):
        taken = sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
        if taken > width and title in rows[0]:
            at = rows[0].index(title)
            rows = [row[:at] + row[at + 1 :] for row in rows]
    return rows


def _printable(name: str) -> str:
    """A name can be any text, and what is in the file can be worse: nothing of it may steer the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def _plain(info: ringlog.RingInfo) -> str:
    """Columns of spaces, without colours: for pipes, and for eyes."""
    lines = [os.fspath(info.path)]
    lines += [f"  {name:<8}  {value}" for name, value in _facts(info)]
    for rows in (_writer_rows(info), _reader_rows(info)):
        if rows:
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines.append("")
            for row in rows:
                cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
                lines.append("  " + "  ".join(cells).rstrip())
    if remarks := _remarks(info):
        lines += ["", *(f"  {remark}" for remark in remarks)]
    return "\n".join(lines) + "\n"


def _show(info: ringlog.RingInfo) -> None:
    """The same, for a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"active": "green", "stopped": "yellow", "dead": "red"}
    console = Console(highlight=False)
    console.print(Text(os.fspath(info.path), style="bold"))
    facts = Table(box=None, show_header=False, padding=(0, 1))
    for name, value in _facts(info):
        facts.add_row(Text(name, style="cyan"), Text(value))
    console.print(facts)
    for rows in (_writer_rows(info), _reader_rows(info)):
        if rows:
            rows = _fit(rows, console.width)
            table = Table(box=None, header_style="bold", padding=(0, 1))
            for title in rows[0]:
                table.add_column(title)
            for row in rows[1:]:
                table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
            console.print()
            console.print(table)
    for remark in _remarks(info):
        console.print(Text(f"\n {remark}", style="yellow"))
