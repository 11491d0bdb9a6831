"""The build of the core that has named points, as the tests call it: see ringlog.testing, which makes it."""

from __future__ import annotations

from ringlog.testing.building import built
from ringlog.testing.points import points as names

__all__ = ["built", "names"]
