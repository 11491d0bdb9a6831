"""What the tests of claims and views begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from in_place_support import CAPACITY

import ringlog


@pytest.fixture
def writer(ring_path: str, request: pytest.FixtureRequest) -> Iterator[ringlog.Writer]:
    """Of a small ring; waits up to the test file's TIMEOUT, or 20 s."""
    timeout = getattr(request.module, "TIMEOUT", 20)
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=timeout) as writer:
        yield writer
