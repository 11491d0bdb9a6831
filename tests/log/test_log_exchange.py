"""Export and import: what comes back is what was there, with its sequences and times."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from log_support import build, numbered, parse, whole

import ringlog
from ringlog.log import exchange

DATAS = [b"plain", b"", b'quote " , \n and ; line', "ä€😀".encode(), b"\xff\x00\xfe", b"x" * 70_000]


@pytest.fixture
def filled(log: Path) -> Path:
    log.mkdir()
    build(log / f"{7:020}.events", DATAS)
    build(log / f"{50:020}.events", numbered(20), start=5000)
    return log


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow"])
def test_there_and_back(filled: Path, form: exchange.Format) -> None:
    if form in ("parquet", "arrow"):
        pytest.importorskip("pyarrow")
    file = filled.parent / f"out.{form}"
    seen: list[tuple[int, int]] = []
    assert exchange.export_log(filled, file, form, progress=lambda *step: seen.append(step)) == 26
    assert sum(events for events, _ in seen) == 26
    assert exchange.format_of(file) == form
    back = filled.parent / "back"
    assert exchange.import_log(file, back, form) == 26
    assert whole(back) == whole(filled)
    assert ringlog.verify(back).ok


def test_one_stream_file(filled: Path) -> None:
    file = filled.parent / "one.events"
    assert exchange.export_log(filled, file, "events", count=6) == 6
    assert [event.data for event in parse(file).events] == DATAS
    with pytest.raises(ValueError, match="gap before sequence 50"):
        exchange.export_log(filled, file, "events")
    assert [event.data for event in parse(file).events] == DATAS
    back = filled.parent / "back"
    assert exchange.export_log(filled, file, "events", start=50) == 20
    assert exchange.import_log(file, back, "events") == 20
    assert [event.data for event in whole(back)] == numbered(20)


def test_a_part(filled: Path) -> None:
    out = io.BytesIO()
    assert exchange.export_log(filled, out, "jsonl", start=11, count=3) == 3
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["sequence"] for row in rows] == [11, 12, 50]
    assert rows[0]["data_base64"] == "/wD+"


def test_unknown_endings() -> None:
    with pytest.raises(ValueError, match="no format has this ending"):
        exchange.format_of("log.xls")
