"""The build of the core that has named points, as the tests call it: see ringlog.testing, which makes it."""

from __future__ import annotations

from ringlog.testing.building import built
from ringlog.testing.points import points as names

PAIR = ("invalid", "sequence", "record", "stored")  # steps of a pair's store
OF_LOGS = "log_"  # what the names of points begin with that only logs pass

__all__ = ["OF_LOGS", "PAIR", "built", "names"]
