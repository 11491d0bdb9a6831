"""What an import takes, and what it says of a file or a row that it does not."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from log_support import build, segments, whole
from processes import eventually

import ringlog
from ringlog.log import exchange, importing

LAST = 2**61 - 1


def taken(log: Path, text: str | bytes, form: exchange.Format = "jsonl") -> list[tuple[int, bytes]]:
    exchange.import_log(io.BytesIO(text if isinstance(text, bytes) else text.encode()), log, form)
    return [(event.sequence, event.data) for event in whole(log)]


def test_rows_without_a_time_or_a_sequence(log: Path) -> None:
    text = '{"data": "a"}\n\n{"data": "b", "sequence": 5}\n{"data": "c", "sequence": null}\n'
    assert taken(log, text) == [(0, b"a"), (5, b"b"), (6, b"c")]


@pytest.mark.parametrize("installed", [True, False], ids=["msgspec", "json"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "line 1: no event: an object is needed"),
        ('{"data": "a"}\n{"data": 5}', "line 2: no event: data must be a string, not 5"),
        ("{}", "line 1: no event: no data"),
        ('{"data": null}', "data must be a string, not None"),
        ('{"data": "a", "other"}', "line 1: no event: Expecting ':' delimiter"),
        ('{"data": "\\ud800"}', "line 1: no event: .*surrogates"),
        ('{"data_base64": "?"}', "line 1: no event"),
        ('{"data_base64": {}}', "data_base64 must be a string"),
        ('{"data": "a", "sequence": 5}\n{"data": "a", "sequence": 5}', "line 2: sequence 5 comes behind 5"),
        ('{"data": "a", "sequence": -5}', "line 1: no event: sequence must be an int from 0 to"),
        ('{"data": "a", "sequence": 1.9}', "sequence must be an int .* not 1.9"),
        ('{"data": "a", "sequence": true}', "sequence must be an int .* not True"),
        ('{"data": "a", "sequence": "1"}', "sequence must be an int .* not '1'"),
        (f'{{"data": "a", "sequence": {LAST + 1}}}', f"not {LAST + 1}"),
        ('{"data": "a", "sequence": 1000000000000000000000000}', "not 1000000000000000000000000"),
        (f'{{"data": "a", "sequence": {LAST}}}\n{{"data": "b"}}', "line 2: sequences end at"),
        ('{"data": "a", "timestamp": 0}', "timestamp must be an int above 0"),
        ('{"data": "a", "timestamp": 9223372036854775808}', "timestamp must be an int above 0"),
        ('{"data": "a", "timestamp": 9}\n{"data": "b", "timestamp": 8}', "line 2: "),
        ("[" * 200_000, "line 1: no event: nested too deeply"),
    ],
)
def test_json_lines_that_are_no_events(
    log: Path, text: str, says: str, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installed:
        pytest.importorskip("msgspec")
    else:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(importing.BadFile, match=says):
        taken(log, text)
    assert all(len(path.stem) == 20 for path in segments(log))


@pytest.mark.parametrize("installed", [True, False], ids=["msgspec", "json"])
def test_odd_json(log: Path, installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if installed:
        pytest.importorskip("msgspec")
    else:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    rows = [
        '\ufeff{"data": "behind a mark"}',
        '{"data": "a", "data": "the last one", "more": [NaN, {"x": 1e999}]}',
        '  {"data": "\\u00e4\\ud83d\\ude00\\u0000", "sequence": 7, "timestamp": null}  ',
    ]
    assert taken(log, "\n".join(rows)) == [
        (0, b"behind a mark"),
        (1, b"the last one"),
        (7, "ä😀\0".encode()),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"sequence,data\nx,a\n", "line 2: no event: sequence must be"),
        (b"sequence,data\n1_0,a\n", "line 2: no event: sequence must be"),
        ("sequence,data\n٣,a\n".encode(), "line 2: no event: sequence must be"),
        (b"sequence,data\n" + b"9" * 25 + b",a\n", "line 2: no event: sequence must be"),
        (b"data,sequence\na\n", "line 2: no event: fewer columns"),
        (b'data\n"a\nb"\n"c\nd"\n\n\xff\n', "line 7: no event: .*utf-8"),
        (b"encoding,data\nlatin-1,a\n", "line 2: no event: encoding is utf-8 or base64"),
        (b"encoding,data\nbase64,?\n", "line 2: no event"),
        (b"data\na\rb\n", "line 2: no event: .*new-line"),
        (b"other\nx\n", "line 1: no column data, but other"),
        (b"data,data\nx,y\n", "line 1: 2 columns data"),
        (b"\xff\n", "line 1: no CSV"),
    ],
)
def test_csv_rows_that_are_no_events(log: Path, text: bytes, says: str) -> None:
    with pytest.raises(importing.BadFile, match=says):
        taken(log, text, "csv")


def test_csv_as_spreadsheets_write_it(log: Path) -> None:
    text = '\ufeffdata,sequence,note\r\n"a\r\n""b""",3,x\r\n\r\nc,,\r\n'
    assert taken(log, text, "csv") == [(3, b'a\r\n"b"'), (4, b"c")]


def test_csv_fields_of_any_size_and_the_limit_of_others(log: Path) -> None:
    """The limit is one for the process: two imports at once, and what was set before is set again."""
    before = csv.field_size_limit(1000)
    large = "x" * 300_000
    try:
        feed, end = os.pipe()

        def slow() -> None:
            with os.fdopen(feed, "rb") as stream:
                exchange.import_log(stream, log.parent / "slow", "csv")

        with os.fdopen(end, "wb") as pipe:
            pipe.write(b"data\nfirst\n")
            pipe.flush()
            thread = threading.Thread(target=slow)
            thread.start()
            eventually(lambda: csv.field_size_limit() > 1000)
            assert taken(log, f"data\n{large}\n", "csv") == [(0, large.encode())]
            pipe.write(f"{large}\n".encode())
        thread.join()
        assert [len(event.data) for event in whole(log.parent / "slow")] == [5, 300_000]
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(before)


def table(**columns: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@pytest.mark.once
@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"data": [b"x", None]}, "row 2: no event: no data"),
        ({"data": [1, 2]}, "column data is of int64, not of bytes or text"),
        ({"data": [[b"x"]]}, "column data is of list"),
        ({"other": [1]}, "no column data, but other"),
        ({"data": [b"x"], "sequence": ["0"]}, "column sequence is of string"),
        ({"data": [b"x"], "sequence": [0.5]}, "column sequence is of double"),
        ({"data": [b"x", b"y"], "sequence": [3, -1]}, "row 2: no event: sequence must be"),
        ({"data": [b"x"], "timestamp": [[1]]}, "column timestamp is of list"),
        ({"data": [b"x"], "timestamp": ["now"]}, "column timestamp is of string"),
    ],
)
def test_tables_that_are_no_events(log: Path, columns: dict[str, Any], says: str) -> None:
    with pytest.raises(importing.BadFile, match=says):
        taken(log, table(**columns), "parquet")


@pytest.mark.once
def test_two_columns_of_one_name(log: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    out = io.BytesIO()
    both = pa.Table.from_arrays([pa.array([b"x"]), pa.array([b"y"])], names=["data", "data"])
    with pa.ipc.new_file(out, both.schema) as writer:
        writer.write_table(both)
    with pytest.raises(importing.BadFile, match="2 columns data"):
        taken(log, out.getvalue(), "arrow")


@pytest.mark.once
def test_tables_that_others_write(log: Path) -> None:
    """Text, categories, coarser times, columns of nothing."""
    pa = pytest.importorskip("pyarrow")
    times = pa.array([1_000, 2_000], pa.timestamp("ms"))
    assert taken(log, table(data=["a", "b"], timestamp=times), "parquet") == [(0, b"a"), (1, b"b")]
    assert [event.timestamp for event in whole(log)] == [1_000_000_000, 2_000_000_000]
    more = table(data=pa.array(["c", "d"]).dictionary_encode(), sequence=pa.nulls(2))
    assert taken(log, more, "parquet")[2:] == [(2, b"c"), (3, b"d")]


@pytest.mark.once
@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("text", [b"", b"xx", b"PAR1" + bytes(40) + b"\x20\0\0\0PAR1", b"ARROW1\0\0" * 4])
def test_files_that_are_no_tables(log: Path, form: exchange.Format, text: bytes) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(importing.BadFile, match=r"no (Parquet|Arrow) file"):
        taken(log, text, form)
    assert not log.exists()


@pytest.mark.once
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_tables_from_a_pipe(log: Path, form: exchange.Format) -> None:
    pytest.importorskip("pyarrow")
    build(log.parent / "one.events", [b"a", b"b"])
    file = log.parent / "table"
    exchange.export_log(log.parent / "one.events", file, form)
    feed, end = os.pipe()
    with os.fdopen(feed, "rb") as stream, os.fdopen(end, "wb") as pipe:
        pipe.write(file.read_bytes())
        pipe.close()
        assert exchange.import_log(stream, log, form) == 2
    assert [event.data for event in whole(log)] == [b"a", b"b"]


def test_a_whole_log_with_its_gaps(log: Path) -> None:
    log.mkdir()
    build(log / f"{7:020}.events", [b"a", b"b"])
    build(log / f"{50:020}.events", [b"c"], start=5000)
    back = log.parent / "back"
    assert exchange.import_log(log, back, "events") == 3
    assert whole(back) == whole(log)


def test_one_file_takes_no_gap(log: Path) -> None:
    one = log.parent / "one.events"
    with pytest.raises(importing.BadFile, match=r"line 1: .* begins at sequence 0, not 7"):
        exchange.import_log(io.BytesIO(b'{"data": "a", "sequence": 7}'), one, "jsonl")
    assert not one.exists()
    rows = [{"data": "a"}, {"data": "b", "sequence": 2}]
    with pytest.raises(importing.BadFile, match="line 2: a gap before sequence 2"):
        exchange.import_log(io.BytesIO("\n".join(map(json.dumps, rows)).encode()), one, "jsonl")
    with ringlog.LogReader(one) as reader:
        assert [event.data for event in reader] == [b"a"]


def test_a_stream_file_is_no_stream(log: Path) -> None:
    with pytest.raises(ValueError, match="not from a pipe"):
        exchange.import_log(io.BytesIO(b""), log, "events")


def test_progress_tells_of_every_row(log: Path) -> None:
    rows = b'{"data": "abc"}\n' * 2500
    steps: list[tuple[int, int]] = []
    exchange.import_log(io.BytesIO(rows), log, "jsonl", progress=lambda *step: steps.append(step))
    assert sum(events for events, _ in steps) == 2500
    assert sum(size for _, size in steps) == 2500 * (3 + 16)
