"""What an export writes: the forms of a log's events in a file of another format."""

from __future__ import annotations

import base64
import contextlib
import csv
import errno
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ringlog._core import Event
from ringlog.files import StrPath
from ringlog.log.open_segment import hold
from ringlog.log.replacing import is_replaceable, replacement
from ringlog.log.writer import LogWriter

COLUMNS = ("sequence", "timestamp", "encoding", "data")
Write = Callable[[Any], object]  # takes a Batch

_quoted = json.JSONEncoder(ensure_ascii=False).encode  # of a string: straight into C


@contextmanager
def as_text(stream: IO[bytes], form: str) -> Iterator[Write]:
    """JSON lines, or CSV with a head line."""
    if form == "jsonl":
        yield lambda batch: stream.write("".join(map(_json_line, batch)).encode())
    else:
        stream.write(_csv_lines([COLUMNS]))
        yield lambda batch: stream.write(_csv_lines(map(_csv_row, batch)))


def _json_line(event: Event) -> str:
    sequence, timestamp, data = event
    try:
        what = f'"data": {_quoted(data.decode())}'
    except UnicodeDecodeError:
        what = f'"data_base64": "{base64.b64encode(data).decode("ascii")}"'
    return f'{{"sequence": {sequence}, "timestamp": {timestamp}, {what}}}\n'


def _csv_row(event: Event) -> tuple[object, ...]:
    sequence, timestamp, data = event
    if b"\0" not in data:  # which csv takes only since Python 3.11
        with contextlib.suppress(UnicodeDecodeError):
            return sequence, timestamp, "utf-8", data.decode()
    return sequence, timestamp, "base64", base64.b64encode(data).decode("ascii")


def _csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@contextmanager
def as_arrow(stream: IO[bytes], form: str) -> Iterator[Write]:
    """Parquet, or an Arrow IPC file; a table without rows where there are no events."""
    import pyarrow as pa

    schema = pa.schema(
        [
            pa.field("sequence", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("ns", tz="UTC"), nullable=False),
            pa.field("data", pa.large_binary(), nullable=False),
        ]
    )
    if form == "parquet":
        import pyarrow.parquet as pq

        writer = pq.ParquetWriter(stream, schema)
    else:
        writer = pa.ipc.new_file(stream, schema)
    try:
        yield lambda batch: writer.write_batch(pa.record_batch(batch))
    except BaseException:
        with contextlib.suppress(Exception):  # the stream may be what failed
            writer.close()
        raise
    writer.close()


@contextmanager
def as_stream_file(target: StrPath, sequence: int, stream: int) -> Iterator[Write]:
    """One stream file of the same stream, whose first event has this sequence in the log."""
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
    if not is_replaceable(target):
        raise ValueError(f"{os.fspath(target)}: a stream file can't be a pipe or a device")
    with _nobody_writing(target), replacement(target, ".partial.events") as temporary:
        index = f"{temporary.removesuffix('.events')}.index"
        try:
            with _Copy(temporary, sequence, stream) as writer:
                yield writer.take
        finally:
            _remove(index)
        place = os.path.realpath(target)
        if place.endswith(".events"):  # an index of the file before must not be believed of this one
            _remove(f"{place.removesuffix('.events')}.index")


@contextmanager
def _nobody_writing(target: StrPath) -> Iterator[None]:
    """Keep a log that stands there from being taken from under its writer. Raises WriterBusy."""
    try:
        fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield
        return
    try:
        hold(fd, os.fspath(target))
        yield
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class _Copy(LogWriter):
    """It takes no gap: a file's events are dense."""

    def __init__(self, path: str, sequence: int, stream: int) -> None:
        self._begins = 0, stream  # a file by itself counts from 0
        self._due = sequence
        super().__init__(path)

    def take(self, batch: Iterable[Event]) -> None:
        for sequence, timestamp, data in batch:
            if sequence != self._due:
                raise ValueError(
                    f"a gap before sequence {sequence}: one stream file can't hold it; export a part, "
                    "or another format"
                )
            self._due += 1
            self.append(data, timestamp=timestamp)
