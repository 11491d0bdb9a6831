"""Typed writers and readers over a log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ringlog

pytest.importorskip("msgspec")

from ringlog.codecs import ArrayCodec, CodecError, JsonCodec, TypedReader, TypedWriter


def test_values(log: Path) -> None:
    values = [{"n": k, "text": "x" * k} for k in range(50)]
    with TypedWriter(ringlog.LogWriter(log), JsonCodec()) as writer:
        assert writer.append(values[0]) == 0
        assert writer.append_many(values[1:]) == range(1, 50)
    with TypedReader(ringlog.LogReader(log), JsonCodec()) as reader:
        assert [found.value for found in reader.read_many(20)] == values[:20]
        assert [found.value for found in reader] == values[20:]
        reader.seek(7)
        assert reader.read(0).value == values[7]


def test_a_large_value_of_several_parts(log: Path) -> None:
    frame = np.arange(1 << 18, dtype=np.uint32).reshape(512, 512)
    with TypedWriter(ringlog.LogWriter(log), ArrayCodec()) as writer:
        writer.append(frame)
    with TypedReader(ringlog.LogReader(log), ArrayCodec()) as reader:
        assert np.array_equal(reader.read(0).value, frame)


def test_a_value_that_is_none(log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append_many([b"1", b"no", b"3"])
    with TypedReader(ringlog.LogReader(log), JsonCodec()) as reader:
        assert [found.value for found in reader.read_many()] == [1]
        with pytest.raises(CodecError):
            reader.read(0)
        assert reader.read(0).value == 3
