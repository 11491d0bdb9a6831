"""What an import reads: the rows of a file of another format, checked one by one."""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ringlog.errors import Overrun, StreamEnded
from ringlog.files import StrPath
from ringlog.log.reader import LogReader

LAST_SEQUENCE = (1 << 61) - 1
LAST_TIMESTAMP = (1 << 63) - 1
AT_ONCE = 16384  # rows of Arrow's made into Python's at once
Row = tuple[int, int | None, int | None, bytes]  # its number in the file, sequence, timestamp, data


class BadFile(ValueError):
    """A file that is not of its format, or has a row that is no event or can't follow. It says which row."""


def _sequence(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= LAST_SEQUENCE):
        return value
    raise ValueError(f"sequence must be an int from 0 to {LAST_SEQUENCE}, not {_shown(value)}")


def _timestamp(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 < value <= LAST_TIMESTAMP):
        return value
    raise ValueError(f"timestamp must be an int above 0 (Unix nanoseconds), not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


# ---- JSON lines ----


def from_json(stream: IO[bytes]) -> Iterator[Row]:
    decode = _json_decoder()
    for number, line in enumerate(stream, start=1):
        if line.isspace():
            continue
        try:
            row = decode(line)
            yield number, *_json_event(row)
        except (ValueError, TypeError, AttributeError, RecursionError):
            yield number, *_said_again(number, line)


def _said_again(number: int, line: bytes) -> tuple[int | None, int | None, bytes]:
    """The standard library has the last word, and the same words whatever is installed."""
    try:
        return _json_event(json.loads(line))
    except RecursionError:
        raise BadFile(f"line {number}: no event: nested too deeply") from None
    except ValueError as error:
        raise BadFile(f"line {number}: no event: {error}") from None


def _json_event(row: Any) -> tuple[int | None, int | None, bytes]:
    if not isinstance(row, dict):
        raise ValueError(f"an object is needed, not {_shown(row)}")
    encoded = row.get("data_base64")
    if encoded is not None:
        if not isinstance(encoded, str):
            raise ValueError(f"data_base64 must be a string, not {_shown(encoded)}")
        data = base64.b64decode(encoded, validate=True)
    else:
        text = row.get("data")
        if not isinstance(text, str):
            missing = "data" not in row
            raise ValueError("no data" if missing else f"data must be a string, not {_shown(text)}")
        data = text.encode()
    return _sequence(row.get("sequence")), _timestamp(row.get("timestamp")), data


def _json_decoder() -> Callable[[bytes], Any]:
    try:
        import msgspec
    except ImportError:
        return json.loads
    return msgspec.json.Decoder().decode


# ---- CSV ----

_fields = threading.Lock()
_fields_users = 0
_fields_limit = 0


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    """csv's own limit, 128 KiB, is one for the whole process: lifted while anybody here reads."""
    global _fields_users, _fields_limit
    with _fields:
        if not _fields_users:
            _fields_limit = csv.field_size_limit(sys.maxsize)
        _fields_users += 1
    try:
        yield
    finally:
        with _fields:
            _fields_users -= 1
            if not _fields_users:
                csv.field_size_limit(_fields_limit)


def from_csv(stream: IO[bytes]) -> Iterator[Row]:
    reader = csv.reader(_lines(stream))
    with _fields_of_any_size():
        try:
            names = next(reader, None)
            if names is None:
                return
            columns = [_column(names, name) for name in ("sequence", "timestamp", "encoding", "data")]
            if columns[-1] is None:
                raise BadFile(f"no column data, but {', '.join(names)}")
        except BadFile as error:
            raise BadFile(f"line 1: {error}") from None
        except (ValueError, csv.Error) as error:
            raise BadFile(f"line 1: no CSV: {error}") from None
        while True:
            begins = reader.line_num + 1
            try:
                values = next(reader, None)
                if values is None:
                    return
                if not values:  # an empty line
                    continue
                event = _csv_event(*(None if at is None else values[at] for at in columns))
            except IndexError:
                raise BadFile(f"line {begins}: no event: fewer columns than line 1 names") from None
            except (ValueError, csv.Error) as error:
                raise BadFile(f"line {begins}: no event: {error}") from None
            yield begins, *event


def _lines(stream: IO[bytes]) -> Iterator[str]:
    encoding = "utf-8-sig"  # as spreadsheets begin their files
    for line in stream:
        yield line.decode(encoding)
        encoding = "utf-8"


def _column(names: list[str], name: str) -> int | None:
    if names.count(name) > 1:
        raise BadFile(f"{names.count(name)} columns {name}")
    return names.index(name) if name in names else None


def _csv_event(
    sequence: str | None, timestamp: str | None, encoding: str | None, text: str | None
) -> tuple[int | None, int | None, bytes]:
    assert text is not None
    if encoding == "base64":
        data = base64.b64decode(text, validate=True)
    elif encoding in ("utf-8", "", None):
        data = text.encode()
    else:
        raise ValueError(f"encoding is utf-8 or base64, not {_shown(encoding)}")
    return _sequence(_digits(sequence)), _timestamp(_digits(timestamp)), data


def _digits(text: str | None) -> Any:
    """An int, None for an empty field, or the text as it is, for the check to refuse."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else text


# ---- Parquet and Arrow ----


def from_arrow(stream: IO[bytes], form: str) -> Iterator[Row]:
    import pyarrow as pa

    what = "Parquet" if form == "parquet" else "Arrow"
    try:
        yield from _arrow_rows(stream, form)
    except BadFile:
        raise
    except (pa.ArrowException, ValueError) as error:
        raise BadFile(f"no {what} file to import: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadFile(f"no {what} file to import: {error}") from None  # what Arrow says of damage


def _arrow_rows(stream: IO[bytes], form: str) -> Iterator[Row]:
    import pyarrow as pa

    # Both formats are read from their end. A pipe has none to go to.
    source: Any = stream if stream.seekable() else pa.BufferReader(stream.read())
    if form == "parquet":
        import pyarrow.parquet as pq

        table = pq.ParquetFile(source)
        wanted = _arrow_columns(table.schema_arrow)
        batches = table.iter_batches(AT_ONCE, columns=wanted)
    else:
        file = pa.ipc.open_file(source)
        wanted = _arrow_columns(file.schema)
        batches = (
            batch.slice(at, AT_ONCE)
            for batch in map(file.get_batch, range(file.num_record_batches))
            for at in range(0, batch.num_rows, AT_ONCE)
        )
    number = 0
    for batch in batches:
        none = [None] * batch.num_rows
        sequences = batch["sequence"].to_pylist() if "sequence" in wanted else none
        times = _nanoseconds(batch["timestamp"]).to_pylist() if "timestamp" in wanted else none
        for sequence, timestamp, data in zip(sequences, times, batch["data"].to_pylist(), strict=True):
            number += 1
            try:
                if data is None:
                    raise ValueError("no data")
                checked = _sequence(sequence), _timestamp(timestamp)
                yield number, *checked, data.encode() if isinstance(data, str) else data
            except ValueError as error:
                raise BadFile(f"row {number}: no event: {error}") from None


def _arrow_columns(schema: Any) -> list[str]:
    """Those that are there of the ones we know, of types that can be what they should be."""
    import pyarrow.types as kinds

    found = [name for name in ("sequence", "timestamp", "data") if _column(schema.names, name) is not None]
    if "data" not in found:
        raise BadFile(f"no column data, but {', '.join(schema.names)}")
    for name in found:
        kind = schema.field(name).type
        if name == "data":
            of = kind.value_type if kinds.is_dictionary(kind) else kind
            fits = str(of).removeprefix("large_").split("[")[0] in _BYTES
        else:
            fits = kinds.is_integer(kind) or kinds.is_null(kind)
            fits = fits or (name == "timestamp" and kinds.is_timestamp(kind))
        if not fits:
            what = "bytes or text" if name == "data" else "integers"
            raise BadFile(f"column {name} is of {kind}, not of {what}")
    return found


_BYTES = ("binary", "string", "binary_view", "string_view", "fixed_size_binary")


def _nanoseconds(times: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp("ns", tz=times.type.tz)).cast(pa.int64())
    return times


# ---- and a log's own ----


def from_log(source: StrPath) -> Iterator[Row]:
    """A stream file, or a whole log: its gaps stay gaps."""
    with LogReader(source) as reader:
        while True:
            with contextlib.suppress(Overrun):
                try:
                    events = reader.read_many(AT_ONCE, 0.0)
                except StreamEnded:
                    return
                for sequence, timestamp, data in events:
                    yield sequence, sequence, timestamp, data
