"""pytest's fixtures for tests of programs that use ringlog: `ring` and `make_ring`.

It stands outside the package, and imports nothing of it until a test asks for a ring: pytest loads every
plugin before a coverage tool measures anything, and a test run without rings should pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from ringlog.testing import TemporaryRing


class MakeRing(Protocol):
    """What the fixture `make_ring` gives."""

    def __call__(self, capacity: int = ..., *, max_readers: int = ...) -> TemporaryRing: ...


@pytest.fixture
def make_ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRing]:
    """Make rings: `make_ring(capacity=1 << 16, max_readers=64)` returns a `ringlog.testing.TemporaryRing`.

    All are closed and removed after the test, with what was opened by them.
    """
    with ExitStack() as rings:

        def make(capacity: int = 1 << 16, *, max_readers: int = 64) -> TemporaryRing:
            from ringlog.testing import TemporaryRing

            fallback = tmp_path_factory.getbasetemp()
            return rings.enter_context(TemporaryRing(capacity, max_readers=max_readers, fallback=fallback))

        yield make


@pytest.fixture
def ring(make_ring: MakeRing) -> TemporaryRing:
    """An empty ring of 64 KiB, in memory if the machine can: `ring.path`, `ring.writer()`, `ring.reader()`.

    It, and what was opened by it, is closed and removed after the test. More:
    `ringlog.testing.TemporaryRing`.
    """
    return make_ring()
