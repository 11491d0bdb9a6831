"""Rings for the planted states."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_support import CAPACITY, COUNT, payload
from oracle import RingFile

import ringlog


@pytest.fixture
def ring(ring_path: str) -> Iterator[RingFile]:
    """A ring with events 0 to 9, event k at position 24 + 116 k."""
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([payload(k) for k in range(COUNT)])
    with RingFile(ring_path) as file:
        yield file


@pytest.fixture
def lapped(ring_path: str) -> Iterator[RingFile]:
    """A ring that went round: events 400 or so to 999, a mark in each stride."""
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        for k in range(1000):
            writer.append(payload(k))
    with RingFile(ring_path) as file:
        yield file
