"""Logs to and from other formats: JSON lines, CSV, Parquet, Arrow IPC, and one stream file.

Sequences and times are kept in both directions: an import begins with the sequence that its first row
names, and a gap between two rows is a gap in the log.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Literal

from ringlog.errors import EventTooLarge, Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log import exporting, importing
from ringlog.log.importing import LAST_SEQUENCE, BadFile, Row
from ringlog.log.reader import LogReader
from ringlog.log.replacing import is_replaceable, replacement
from ringlog.log.segments import files_of, first_of
from ringlog.log.writer import LogWriter
from ringlog.places import Start

Format = Literal["jsonl", "csv", "parquet", "arrow", "events"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet", "arrow", "events")
ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".events": "events",
}
UNITS: dict[Format, str] = {
    "jsonl": "line",
    "csv": "line",
    "parquet": "row",
    "arrow": "row",
    "events": "event",
}
ROWS = 16384  # events read at once
TOLD = 1024  # rows imported between two words to whoever follows the progress
OF_A_LOG = re.compile(r"\d{20}\.(events|index)")
Progress = Callable[[int, int], object]


def format_of(path: StrPath) -> Format:
    """By the ending of the name. Raises ValueError."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in ENDINGS:
        raise ValueError(f"{os.fspath(path)}: no format has this ending: {', '.join(ENDINGS)}")
    return ENDINGS[ending]


def export_log(
    log: StrPath,
    target: StrPath | IO[bytes],
    form: Format,
    *,
    start: Start = "oldest",
    count: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Write a log's events to a file of another format; how many.

    A file is written under another name beside the target, and takes its place when it is whole: until then,
    and when anything is raised, what stood there stays. So there must be room for both. Pipes and devices
    are written to as they are.

    Gaps in the log are left out: the sequences tell. "events" is one stream file, which counts from 0 and
    can't hold a gap. Raises what reading a log raises, OSError (with the target as its filename),
    ValueError (a target that is part of the log; a gap, or a pipe, for "events"), WriterBusy (the target is
    a log that is being written), ModuleNotFoundError (pyarrow, for Parquet and Arrow).
    """
    tell = progress or (lambda _events, _bytes: None)
    total = 0
    with LogReader(log, start=start) as reader:
        if isinstance(target, (str, os.PathLike)):
            _refuse_own(target, os.fspath(log))
        with _sink(target, form, reader) as write:
            while count is None or total < count:
                limit = ROWS if count is None else min(ROWS, count - total)
                try:
                    batch = reader.read_batch(limit)
                except Overrun:
                    continue
                except StreamEnded:
                    break
                write(batch)
                total += len(batch)
                tell(len(batch), batch.data.nbytes + 16 * len(batch))
    return total


def _refuse_own(target: StrPath, log: str) -> None:
    """An export must not replace what it reads, nor add to it. Raises ValueError."""
    place = os.path.realpath(target)
    folder, name = os.path.split(place)
    inside = os.path.isdir(log) and os.path.exists(folder) and os.path.samefile(folder, log)
    own = inside and OF_A_LOG.fullmatch(name) is not None
    if not own and os.path.exists(place):
        files = (path for file in files_of(log).now() for path in (file.path, file.index_path))
        own = any(os.path.exists(path) and os.path.samefile(path, place) for path in files)
    if own:
        raise ValueError(f"{os.fspath(target)} is part of the log, or would be")


@contextmanager
def _sink(target: StrPath | IO[bytes], form: Format, reader: LogReader) -> Iterator[exporting.Write]:
    if form == "events":
        if not isinstance(target, (str, os.PathLike)):
            raise ValueError("a stream file is written to a path, not to a pipe")
        with exporting.as_stream_file(target, reader.sequence, reader._stream) as write:
            yield write
        return
    make = exporting.as_arrow if form in ("parquet", "arrow") else exporting.as_text
    with _opened_to_write(target) as stream, make(stream, form) as write:
        yield write


@contextmanager
def _opened_to_write(target: StrPath | IO[bytes]) -> Iterator[IO[bytes]]:
    """A file by its path, closed at the end; one that is open already stays so."""
    if not isinstance(target, (str, os.PathLike)):
        yield target
    elif is_replaceable(target):
        with replacement(target) as temporary, open(temporary, "xb") as stream:
            yield stream
    else:
        try:
            with open(target, "wb") as stream:
                yield stream
        except OSError as error:
            error.filename = error.filename or os.fspath(target)
            raise


# ---- and back ----


def import_log(
    source: StrPath | IO[bytes],
    log: StrPath,
    form: Format,
    *,
    segment_bytes: int = 1 << 30,
    progress: Progress | None = None,
) -> int:
    """Append the events of a file of another format to a log; how many.

    Rows without a time get the clock's; rows without a sequence the next one. What came before a row that
    is none is in the log. Parquet and Arrow from a pipe are read into memory first.

    Raises what a LogWriter raises, ValueError (a file that is none of this format: a BadFile, which names the
    line: no event, a sequence that is no int from 0 to 2**61-1, a time or a sequence that goes back, a gap
    where the log is one file), EventTooLarge, OSError, ModuleNotFoundError (pyarrow).
    """
    tell = progress or (lambda _events, _bytes: None)
    rows = _rows(source, form)
    first = next(rows, None)
    if first is None:
        return 0
    _check_first(first, log, form)
    total = said = size = 0
    with _Import(log, first[1] or 0, segment_bytes) as writer:
        try:
            for length in writer.put(itertools.chain([first], rows), UNITS[form]):
                total += 1
                size += length + 16
                if total - said == TOLD:
                    tell(TOLD, size)
                    said, size = total, 0
        finally:
            tell(total - said, size)
    return total


def _check_first(first: Row, log: StrPath, form: Format) -> None:
    """One file alone begins where its name says: before it is made."""
    number, sequence, _, _ = first
    path = os.fspath(log)
    if path.endswith(".events") and not os.path.lexists(path) and sequence not in (None, first_of(path)):
        raise BadFile(
            f"{UNITS[form]} {number}: a log that is one file begins at sequence {first_of(path)}, "
            f"not {sequence}: import into a directory"
        )


class _Import(LogWriter):
    def __init__(self, path: StrPath, first: int, segment_bytes: int) -> None:
        self._begins = first, 0
        super().__init__(path, segment_bytes=segment_bytes)

    def put(self, rows: Iterator[Row], unit: str) -> Iterator[int]:
        """Append each; the size of each."""
        due = self.sequence
        for number, sequence, timestamp, data in rows:
            try:
                if sequence is not None and sequence != due:
                    self._leave_gap(due, sequence)
                    due = sequence
                if due > LAST_SEQUENCE:
                    raise ValueError(f"sequences end at {LAST_SEQUENCE}")
                self.append(data, timestamp=timestamp)
            except EventTooLarge as error:
                raise EventTooLarge(f"{unit} {number}: {error}") from None
            except ValueError as error:
                raise BadFile(f"{unit} {number}: {error}") from None
            due += 1
            yield len(data)

    def _leave_gap(self, due: int, sequence: int) -> None:
        if sequence < due:
            raise ValueError(f"sequence {sequence} comes behind {due - 1}")
        if self._files.single:
            raise ValueError(f"a gap before sequence {sequence}: a log that is one file can't hold it")
        self._with_lock(lambda: self._jump(sequence, self._segment.stream))


def _rows(source: StrPath | IO[bytes], form: Format) -> Iterator[Row]:
    if form == "events":
        if not isinstance(source, (str, os.PathLike)):
            raise ValueError("a stream file is read by its path, not from a pipe")
        yield from importing.from_log(source)
        return
    with _opened_to_read(source) as stream:
        if form == "jsonl":
            yield from importing.from_json(stream)
        elif form == "csv":
            yield from importing.from_csv(stream)
        else:
            yield from importing.from_arrow(stream, form)


@contextmanager
def _opened_to_read(source: StrPath | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(source, (str, os.PathLike)):
        yield source
        return
    with open(source, "rb") as stream:
        try:
            yield stream
        except OSError as error:
            error.filename = error.filename or os.fspath(source)
            raise
