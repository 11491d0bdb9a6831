"""A sample as lines of a given width: what ``ringlog top`` shows.

What is wrong is marked before it is coloured, so that nobody needs to tell colours apart: ``!!`` a problem,
``!`` a note, and the reason in words below. The colours are told apart by those who do not see red and green
alike: blue is well, yellow a note; a problem is reversed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ringlog.cli.errors import explain
from ringlog.cli.figures import percent, short, short_bytes, short_span
from ringlog.cli.values import size_text
from ringlog.observing import ProcessSample, ReaderSample, RingSample, Sample, WriterSample
from ringlog.observing.sample import SEVERITIES, Severity

Sort = Literal["trouble", "path", "events", "bytes", "unread", "lag"]
NARROWEST = 80
_WIDE = 100
MARKS: dict[Severity, str] = {"": "", "note": "!", "problem": "!!"}
_STYLES: dict[Severity, str] = {"": "", "note": "yellow", "problem": "bold reverse"}
_STATES = {"active": "bright_blue", "reading": "bright_blue"}
_MARK = 3  # columns
_KEYS: dict[Sort, Callable[[RingSample], float]] = {
    "trouble": lambda ring: SEVERITIES.index(ring.severity),
    "path": lambda ring: 0,
    "events": lambda ring: ring.events_per_second or 0,
    "bytes": lambda ring: ring.bytes_per_second or 0,
    "unread": lambda ring: ring.unread,
    "lag": lambda ring: ring.lag,
}
SORTS: tuple[Sort, ...] = tuple(_KEYS)


@dataclass(frozen=True)
class Column:
    """from_width: the narrowest screen that has it."""

    title: str
    width: int
    from_width: int = 0


_COLUMNS = (
    Column("PID", 7),
    Column("STATE", 7),
    Column("EV/S", 5),
    Column("LAG", 6),
    Column("BEHIND", 7),
    Column("UNREAD", 6),
    Column("LOST", 6, _WIDE),
    Column("CPU", 4),
    Column("MEM", 5),
)
_PROCESS = Column("PROCESS", 16, _WIDE)


def ordered(sample: Sample, sort: Sort, backwards: bool = False) -> list[RingSample]:
    """The rings, largest first, by path among equals; `backwards` turns it round."""
    key = _KEYS[sort]
    rings = sorted(sample.rings, key=lambda ring: (-key(ring), ring.path))
    return rings[::-1] if backwards else rings


def heading(sample: Sample, width: int) -> list[Text]:
    """What there is, and the titles of the columns."""
    people = [one for ring in sample.rings for one in ring.writers + ring.readers]
    errors = [ring for ring in sample.rings if ring.error is not None]
    wrong: list[Severity] = [one.severity for one in people] + [ring.severity for ring in errors]
    wrong += ["note"] if sample.denied else []
    parts = [_count(len(sample.rings), "ring")]
    parts += [_count(sum(len(ring.writers) for ring in sample.rings), "writer")]
    parts += [_count(sum(len(ring.readers) for ring in sample.rings), "reader")]
    line = Text.assemble(("ringlog top", "bold"), "  ", ", ".join(parts), "  ")
    for severity in ("problem", "note"):
        if number := wrong.count(severity):
            line.append(f" {MARKS[severity]} {_count(number, severity)} ", _STYLES[severity])
    if not any(wrong):
        line.append("all well", "bright_blue")
    cells = [column.title.rjust(column.width) for column in _columns(width)]
    cells[1] = "STATE".ljust(7)
    titles = _cell("   WHO", _who_width(width) + _MARK) + " " + " ".join(cells)
    if width >= _WIDE:
        titles += " " + _PROCESS.title
    return [line, Text(_cell(titles, width), style="bold underline")]


def body(sample: Sample, width: int, sort: Sort, backwards: bool = False) -> list[Text]:
    """The rings, each with its writers and readers below it, and what could not be read."""
    lines: list[Text] = []
    for ring in ordered(sample, sort, backwards):
        lines += _ring(ring, width)
    if not sample.rings:
        lines.append(Text("   no rings here"))
    if sample.denied:
        first = _printable(sample.denied[0]) + (" and others" if len(sample.denied) > 1 else "")
        text = f"{len(sample.denied)} not looked into, permission denied: {first}"
        for number, piece in enumerate(_fold(text, width - _MARK)):
            lines.append(Text.assemble(_mark("" if number else "note"), (piece, _STYLES["note"])))
    return lines


def _ring(ring: RingSample, width: int) -> Iterator[Text]:
    name = _printable(ring.path)
    if ring.error is not None:
        text = str(explain(ring.path, ring.error)).removeprefix(f"{ring.path}: ")
        yield Text.assemble(_mark(ring.severity), (_middle(name, width - _MARK), "bold"))
        yield from _note(ring.severity, text, width)
        return
    figures = _figures(ring, width)
    room = width - _MARK - 2 - cell_len(figures)
    if width >= _WIDE and cell_len(name) <= room:  # never on a narrow one: it would jump with the figures
        yield Text.assemble(_mark(ring.severity), (_cell(name, room), "bold"), "  ", figures)
    else:
        yield Text.assemble(_mark(ring.severity), (_middle(name, width - _MARK), "bold"))
        yield Text(figures.rjust(width))
    for writer in sorted(ring.writers, key=lambda one: -SEVERITIES.index(one.severity)):
        yield _writer(writer, ring, width)
        yield from _note(writer.severity, writer.why, width)
    if not ring.writers:
        yield Text("     no writer" + ("; the stream has ended" if ring.ended else ""))
    for reader in sorted(ring.readers, key=lambda one: (-SEVERITIES.index(one.severity), -one.lag)):
        yield _reader(reader, width)
        yield from _note(reader.severity, reader.why, width)


def _figures(ring: RingSample, width: int) -> str:
    """``16 MiB  1.23M ev/s   76.8 MB/s  unread 52%  kept 100%  holds 3.2 s``."""
    rate = None if ring.bytes_per_second is None else ring.bytes_per_second / 1e6
    megabytes = "-" if rate is None else f"{rate:.2f}" if rate < 9.995 else f"{rate:,.0f}"
    bar = ""
    if width >= _WIDE:
        bar = f" [{'|' * round(ring.unread * 10):<10}]"
    return "  ".join(
        (
            f"{size_text(ring.capacity)}{' ended' if ring.ended else ''}",
            f"{short(ring.events_per_second):>5} ev/s",
            f"{megabytes:>6} MB/s",
            f"unread{bar} {percent(ring.unread):>4}",
            f"kept {percent(ring.kept):>4}",
            *([f"holds {short_span(ring.holds):>6}"] if width >= _WIDE else [f"{short_span(ring.holds):>6}"]),
        )
    )


def _writer(writer: WriterSample, ring: RingSample, width: int) -> Text:
    alone = len(ring.writers) == 1  # which of several it was that published is not told
    cells = (
        str(writer.pid),
        writer.state,
        short(ring.events_per_second) if alone else "-",
        "-",
        "-",
        "-",
        "-",
    )
    return _person(writer.severity, "W", "", cells, writer.process, width)


def _reader(reader: ReaderSample, width: int) -> Text:
    behind = "-" if reader.lag and reader.behind is None else short_span(reader.behind)
    cells = (
        *(str(reader.pid) if reader.pid else "-", reader.state, short(reader.events_per_second)),
        *(short(reader.lag), behind, percent(reader.unread), short(reader.lost) if reader.lost else "-"),
    )
    return _person(reader.severity, "R", reader.name or "", cells, reader.process, width)


def _person(
    severity: Severity,
    kind: str,
    name: str,
    cells: tuple[str, ...],
    process: ProcessSample | None,
    width: int,
) -> Text:
    """One line for a writer or a reader; `cells` as `_COLUMNS`, up to the process's own."""
    who = _printable(name)
    if process is not None and width < _WIDE:
        who += f"{' ' if who else ''}({_printable(process.name)})"
    line = Text.assemble(_mark(severity), _cell(f"  {kind} {who}", _who_width(width)))
    own = (percent(process.cpu), short_bytes(process.memory)) if process is not None else ("-", "-")
    for column, text in zip(_COLUMNS, (*cells, *own), strict=True):
        if column.title == "STATE":
            line.append(" ").append(text.ljust(column.width), _STYLES[severity] or _STATES.get(text, ""))
        elif width >= column.from_width:
            line.append(" " + text.rjust(column.width))
    if width >= _WIDE and process is not None:
        line.append(" " + _cell(_printable(process.name), _PROCESS.width))
    return line


def _note(severity: Severity, text: str, width: int) -> Iterator[Text]:
    """Why, below whom it is about; folded if it is long."""
    if not text:
        return
    words = Text("".join(letter if letter.isprintable() else "\ufffd" for letter in text))
    style = "yellow" if severity == "note" else "bold"
    for piece in _fold(words.plain, width - _MARK - 6):
        yield Text.assemble(" " * (_MARK + 6), (piece, style))


def _fold(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
        while cell_len(line) > width:
            head = set_cell_size(line, width).rstrip() if cell_len(line) > width else line
            yield head
            line = line[len(head) :]
    if line:
        yield line


def _mark(severity: Severity) -> tuple[str, str]:
    return (MARKS[severity].ljust(_MARK), "bold" if severity == "problem" else _STYLES[severity])


def _columns(width: int) -> list[Column]:
    return [column for column in _COLUMNS if width >= column.from_width]


def _who_width(width: int) -> int:
    taken = sum(column.width + 1 for column in _columns(width))
    if width >= _WIDE:
        taken += _PROCESS.width + 1
    return width - _MARK - taken


def _cell(text: str, width: int) -> str:
    """Exactly so wide; what was cut ends in ``~``."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "~"


def _middle(path: str, width: int) -> str:
    """A path that is too long loses its middle: its end tells rings apart."""
    if cell_len(path) <= width:
        return path
    head = (width - 3) // 3
    tail = path
    while cell_len(tail) > width - 3 - head:
        tail = tail[1:]
    return set_cell_size(path, head) + "..." + tail


def _printable(name: str) -> str:
    """Names and paths can be any text: nothing of it may steer the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
