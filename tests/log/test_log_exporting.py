"""Exports: a file is replaced when the new one is whole, and only if it is not the log's own."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest
from log_support import build, numbered, parse, read_all, segments, whole

import ringlog
from ringlog.log import exchange

ODD = [
    *(
        b"",
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"a\r\nb",
        b"\r",
        b'"',
        b'a,b"c',
        b"utf-8",
        b"base64",
        b" lead ",
        b"=1+1",
    ),
    *(b"\xef\xbb\xbfbom", "\u2028\u2029\x85\x7fé😀".encode(), b"\x1a\x08\x0c\\N", b"x" * 300_000),
    *(bytes([k]) for k in range(32)),
]


@pytest.fixture
def filled(log: Path) -> Path:
    log.mkdir()
    build(log / f"{0:020}.events", numbered(10))
    build(log / f"{50:020}.events", numbered(5), start=5000)
    return log


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow"])
def test_odd_data_comes_back(log: Path, form: exchange.Format) -> None:
    if form in ("parquet", "arrow"):
        pytest.importorskip("pyarrow")
    log.mkdir()
    build(log / f"{0:020}.events", ODD)
    file, back = log.parent / "file", log.parent / "back"
    exchange.export_log(log, file, form)
    exchange.import_log(file, back, form)
    assert whole(back) == whole(log)


def test_json_lines_are_as_json_writes_them(log: Path) -> None:
    log.mkdir()
    texts = [data for data in ODD if data not in (b"\xff\xfe",)]
    build(log / f"{0:020}.events", texts)
    out = io.BytesIO()
    exchange.export_log(log, out, "jsonl")
    rows = [
        {"sequence": event.sequence, "timestamp": event.timestamp, "data": event.data.decode()}
        for event in whole(log)
    ]
    assert out.getvalue().decode() == "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize("form", exchange.FORMATS)
def test_an_empty_log(log: Path, form: exchange.Format) -> None:
    if form in ("parquet", "arrow"):
        pytest.importorskip("pyarrow")
    ringlog.LogWriter(log).close()
    file = log.parent / f"out.{form}"
    assert exchange.export_log(log, file, form) == 0
    assert exchange.import_log(file, log.parent / "back", form) == 0


@pytest.mark.once
def test_an_empty_table_has_the_columns_of_a_full_one(filled: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    ringlog.LogWriter(filled.parent / "empty").close()
    for name in ("empty", "log"):
        exchange.export_log(filled.parent / name, filled.parent / f"{name}.parquet", "parquet")
    empty, full = (pq.read_schema(filled.parent / f"{name}.parquet") for name in ("empty", "log"))
    assert empty.equals(full)
    assert full.names == ["sequence", "timestamp", "data"]


def test_a_stream_file_has_the_name_that_was_given(filled: Path) -> None:
    """Not that name with an ending, beside it, behind what stands there."""
    mine = filled.parent / "mine"
    mine.write_bytes(b"before")
    build(filled.parent / "mine.events", [b"untouched"])
    exchange.export_log(filled, mine, "events", count=3)
    assert [event.data for event in parse(mine).events] == numbered(3)
    assert read_all(filled.parent / "mine.events") == [b"untouched"]
    assert sorted(path.name for path in filled.parent.iterdir() if path.is_file()) == ["mine", "mine.events"]


def test_the_index_of_a_file_before_is_not_believed(log: Path) -> None:
    """Same stream, same first sequence, other events: only the export can know."""
    log.mkdir()
    build(log / f"{0:020}.events", [b"x" * 30_000] * 3 + [b"y" * 100] * 300)
    file = log.parent / "part.events"
    exchange.export_log(log, file, "events")
    with ringlog.LogReader(file, start=3):
        assert file.with_suffix(".index").exists()
    exchange.export_log(log, file, "events", start=3)
    with ringlog.LogReader(file, start=250) as reader:
        assert reader.position == 24 + 250 * 116
        assert len(list(reader)) == 50


@pytest.mark.parametrize("form", ["events", "csv"])
def test_what_was_there_stays_until_the_new_one_is_whole(filled: Path, form: exchange.Format) -> None:
    target = filled.parent / "out.events"
    build(target, [b"before"])
    before = everything(filled.parent)

    def stop(_events: int, _size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exchange.export_log(filled, target, form, progress=stop)
    with pytest.raises(ValueError, match="gap"):
        exchange.export_log(filled, target, "events")
    assert everything(filled.parent) == before


def test_a_gap_leaves_no_file(filled: Path) -> None:
    before = everything(filled.parent)
    with pytest.raises(ValueError, match="gap before sequence 50"):
        exchange.export_log(filled, filled.parent / "new.events", "events")
    assert everything(filled.parent) == before


@pytest.mark.parametrize("form", ["jsonl", "events"])
def test_never_onto_the_log_itself(filled: Path, form: exchange.Format) -> None:
    first = segments(filled)[0]
    with ringlog.LogReader(filled, start=3):
        pass  # makes the index
    (filled.parent / "link").symlink_to(first)
    os.link(first, filled.parent / "hard")
    (filled.parent / "folder").symlink_to(filled)
    before = everything(filled.parent)
    for target in (
        first,
        filled.parent / "link",
        filled.parent / "hard",
        filled.parent / "folder" / first.name,
        filled / f"{20:020}.events",
        filled / f"{0:020}.index",
    ):
        with pytest.raises(ValueError, match="part of the log"):
            exchange.export_log(filled, target, form, count=5)
    with pytest.raises(ValueError, match="part of the log"):
        exchange.export_log(first, first, form)
    assert everything(filled.parent) == before


def test_not_onto_a_log_that_is_being_written(filled: Path) -> None:
    target = filled.parent / "other.events"
    with ringlog.LogWriter(target) as writer:
        writer.append(b"a")
        with pytest.raises(ringlog.WriterBusy):
            exchange.export_log(filled, target, "events", count=5)
        writer.append(b"b")
    assert read_all(target) == [b"a", b"b"]


def test_links_are_followed_and_modes_kept(filled: Path) -> None:
    real, link = filled.parent / "real", filled.parent / "link"
    real.write_text("before")
    real.chmod(0o640)
    link.symlink_to(real)
    exchange.export_log(filled, link, "jsonl")
    assert link.is_symlink()
    assert len(real.read_text().splitlines()) == 15
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.parametrize("form", ["jsonl", "events"])
def test_errors_name_the_target(filled: Path, form: exchange.Format) -> None:
    nowhere = filled.parent / "no" / "folder" / "out"
    with pytest.raises(FileNotFoundError) as raised:
        exchange.export_log(filled, nowhere, form, count=5)
    assert raised.value.filename == str(nowhere)
    with pytest.raises(IsADirectoryError) as other:
        exchange.export_log(filled, filled, form, count=5)
    assert other.value.filename == str(filled)


def test_what_is_no_file_is_written_to_as_it_is(filled: Path) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        exchange.export_log(filled, "/dev/full", "jsonl")
    assert raised.value.filename == "/dev/full"
    with pytest.raises(ValueError, match="a pipe or a device"):
        exchange.export_log(filled, "/dev/full", "events", count=5)
    with open(filled.parent / "out", "wb") as stream:
        stream.write(b"first\n")
        stream.flush()
        exchange.export_log(filled, f"/dev/fd/{stream.fileno()}", "jsonl", count=1)
        assert os.fstat(stream.fileno()).st_nlink == 1
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
