from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "writers"), str(HERE.parent / "log")]

import ringlog  # noqa: E402


@pytest.fixture
def writer(ring_path: str) -> Iterator[ringlog.Writer]:
    """Of a small ring, that waits for nothing."""
    with ringlog.Writer(ring_path, capacity=65536, timeout=0) as writer:
        yield writer


KINDS = {"lossy": {}, "lossless": {"lossless": True}, "named": {"name": "n"}}


@pytest.fixture(params=list(KINDS))
def reader(
    request: pytest.FixtureRequest, writer: ringlog.Writer, ring_path: str
) -> Iterator[ringlog.Reader]:
    """Of each kind, at the head of the writer's ring."""
    with ringlog.Reader(ring_path, **KINDS[request.param]) as reader:
        yield reader
