"""Logs to and from other formats: JSON lines, CSV, Parquet, Arrow IPC, and one stream file.

Sequences and times are kept in both directions: an import begins with the sequence that its first row
names, and a gap between two rows is a gap in the log.
"""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

from ringlog._core import Event
from ringlog.errors import CorruptStream, Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader
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
COLUMNS = ("sequence", "timestamp", "encoding", "data")
ROWS = 16384  # events read, or rows written, at once
Progress = Callable[[int, int], object]
Row = tuple[int | None, int | None, bytes]


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
    """Write a log's events to a file of another format; how many. What stood there is replaced.

    Gaps in the log are left out: the sequences tell. Raises what reading a log raises, OSError, and
    ModuleNotFoundError (pyarrow, for Parquet and Arrow).
    """
    tell = progress or (lambda _events, _bytes: None)
    total = 0
    with LogReader(log, start=start) as reader, _sink(target, form, reader) as write:
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


@contextmanager
def _sink(target: StrPath | IO[bytes], form: Format, reader: LogReader) -> Iterator[Callable[[Any], object]]:
    if form == "events":
        if not isinstance(target, (str, os.PathLike)):
            raise ValueError("a stream file is written to a path, not to a pipe")
        if os.path.exists(target):
            os.unlink(target)
        with _Copy(target, reader.sequence, reader._stream) as writer:
            yield writer.take
        return
    with _opened(target, "wb") as stream:
        if form in ("parquet", "arrow"):
            with _arrow_sink(stream, form) as write:
                yield write
        else:
            yield _Text(stream, form).take


@contextmanager
def _opened(file: StrPath | IO[bytes], mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    """A file by its path, closed at the end; one that is open already stays so."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, mode) as stream:
            yield stream
    else:
        yield file


class _Copy(LogWriter):
    """One stream file, of the same stream. It takes no gap: a file's events are dense."""

    def __init__(self, path: StrPath, sequence: int, stream: int) -> None:
        self._begins = 0, stream  # a file by itself counts from 0
        self._due = sequence
        path = os.fspath(path)
        super().__init__(path if path.endswith(".events") else f"{path}.events")

    def take(self, batch: Iterable[Event]) -> None:
        for event in batch:
            if event.sequence != self._due:
                raise CorruptStream(f"a gap before sequence {event.sequence}: one file can't hold it")
            self._due += 1
            self.append(event.data, timestamp=event.timestamp)


class _Text:
    """JSON lines, or CSV with a head line."""

    def __init__(self, stream: IO[bytes], form: Format) -> None:
        self._stream = stream
        self._json = form == "jsonl"
        if not self._json:
            self._row(COLUMNS)

    def take(self, batch: Iterable[Event]) -> None:
        for event in batch:
            try:
                encoding, text = "utf-8", event.data.decode()
            except UnicodeDecodeError:
                encoding, text = "base64", base64.b64encode(event.data).decode("ascii")
            if self._json:
                key = "data" if encoding == "utf-8" else "data_base64"
                row = {"sequence": event.sequence, "timestamp": event.timestamp, key: text}
                self._stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            else:
                self._row((event.sequence, event.timestamp, encoding, text))

    def _row(self, values: Iterable[object]) -> None:
        import io

        line = io.StringIO(newline="")
        csv.writer(line).writerow(values)
        self._stream.write(line.getvalue().encode())


@contextmanager
def _arrow_sink(stream: IO[bytes], form: Format) -> Iterator[Callable[[Any], object]]:
    import pyarrow as pa

    writer: Any = None

    def write(batch: Any) -> None:
        nonlocal writer
        rows = pa.record_batch(batch)
        if writer is None:
            if form == "parquet":
                import pyarrow.parquet as pq

                writer = pq.ParquetWriter(stream, rows.schema)
            else:
                writer = pa.ipc.new_file(stream, rows.schema)
        writer.write_batch(rows)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


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

    Rows without a time get the clock's; rows without a sequence the next one. Raises what a LogWriter raises,
    ValueError (a row that is no event, a time or a sequence that goes back), OSError, ModuleNotFoundError.
    """
    tell = progress or (lambda _events, _bytes: None)
    total = 0
    rows = _rows(source, form)
    first = next(rows, None)
    if first is None:
        return 0
    with _Import(log, first[0] or 0, segment_bytes) as writer:
        for row in _chain(first, rows):
            writer.put(*row)
            total += 1
            tell(1, len(row[2]) + 16)
    return total


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


class _Import(LogWriter):
    def __init__(self, path: StrPath, first: int, segment_bytes: int) -> None:
        self._begins = first, 0
        super().__init__(path, segment_bytes=segment_bytes)

    def put(self, sequence: int | None, timestamp: int | None, data: bytes) -> None:
        due = self._segment.head()[1]
        if sequence is not None and sequence < due:
            raise ValueError(f"sequence {sequence} comes behind {due - 1}")
        if sequence is not None and sequence > due:
            self._with_lock(lambda: self._jump(sequence, self._segment.stream))
        self.append(data, timestamp=timestamp)


def _rows(source: StrPath | IO[bytes], form: Format) -> Iterator[Row]:
    if form == "events":
        assert isinstance(source, (str, os.PathLike))
        with LogReader(source) as reader:
            yield from ((event.sequence, event.timestamp, event.data) for event in reader)
        return
    with _opened(source, "rb") as stream:
        if form == "jsonl":
            yield from _from_json(stream)
        elif form == "csv":
            yield from _from_csv(stream)
        else:
            yield from _from_arrow(stream, form)


def _from_json(stream: IO[bytes]) -> Iterator[Row]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            data = (
                base64.b64decode(row["data_base64"], validate=True)
                if "data_base64" in row
                else row["data"].encode()
            )
            yield _number(row.get("sequence")), _number(row.get("timestamp")), data
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}: no event: {error}") from None


def _from_csv(stream: IO[bytes]) -> Iterator[Row]:
    import io

    text_of = io.TextIOWrapper(stream, "utf-8", newline="")
    try:
        yield from _csv_rows(csv.DictReader(text_of))
    finally:
        text_of.detach()  # whoever opened it closes it


def _csv_rows(rows: Iterable[dict[str, Any]]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=2):
        try:
            text = row["data"]
            data = base64.b64decode(text, validate=True) if row.get("encoding") == "base64" else text.encode()
            yield _number(row.get("sequence")), _number(row.get("timestamp")), data
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"row {number}: no event: {error}") from None


def _number(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


def _from_arrow(stream: IO[bytes], form: Format) -> Iterator[Row]:
    import pyarrow as pa

    if form == "parquet":
        import pyarrow.parquet as pq

        batches = pq.ParquetFile(stream).iter_batches(ROWS)
    else:
        file = pa.ipc.open_file(stream)
        batches = (file.get_batch(k) for k in range(file.num_record_batches))
    for batch in batches:
        names = batch.schema.names
        if "data" not in names:
            raise ValueError(f"no column data, but {', '.join(names)}")
        count = batch.num_rows
        sequences = batch["sequence"].to_pylist() if "sequence" in names else [None] * count
        times = batch["timestamp"].cast(pa.int64()).to_pylist() if "timestamp" in names else [None] * count
        for sequence, timestamp, data in zip(sequences, times, batch["data"].to_pylist(), strict=True):
            yield sequence, timestamp, data.encode() if isinstance(data, str) else data
