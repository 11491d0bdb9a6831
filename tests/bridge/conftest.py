"""Rings at both ends, and for some tests a real server between them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "bridge_nats"))

from both_sides import Sides
from proxy import Proxy

from ringlog.bridge import Server

_subjects = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as running:
        yield running


@pytest.fixture
def sides(ring_folder: Path) -> Iterator[Sides]:
    """push and pull in threads, stopped after the test, and before its rings are removed."""
    with Sides() as running:
        yield running


@pytest.fixture
def subject() -> str:
    return f"ringlog.test{next(_subjects)}"


@pytest.fixture
def copy_path(ring_path: str) -> str:
    return f"{ring_path}-copy"
