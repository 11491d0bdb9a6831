"""Rings that the tests of codecs begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from codec_support import INTS, ring_ends

from ringlog.codecs import TypedReader, TypedWriter


@pytest.fixture
def ends(ring_path: str) -> Iterator[tuple[TypedWriter[int], TypedReader[int]]]:
    with ring_ends(ring_path) as (writer, reader):
        yield TypedWriter(writer, INTS), TypedReader(reader, INTS)


@pytest.fixture
def mixed(ring_path: str) -> Iterator[TypedReader[int]]:
    """Of a ring with 0, 1, something else, 3, 4."""
    with ring_ends(ring_path) as (writer, reader):
        writer.append_many([b"0", b"1", b'"two"', b"3", b"4"])
        yield TypedReader(reader, INTS)
