"""Where push takes events from: a ring, a log, or a ring with the log that it is recorded into."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ringlog.bridge.sources.log import LogSource
from ringlog.bridge.sources.ring import RingSource
from ringlog.bridge.sources.ring_and_log import RingAndLog
from ringlog.bridge.sources.source import Run, Source
from ringlog.describe import info
from ringlog.errors import NotARing
from ringlog.files import StrPath
from ringlog.places import Start

__all__ = ["Run", "Source", "open_source"]


def open_source(path: StrPath, *, log: StrPath | None, name: str, start: Start, follow: bool) -> Source:
    """By what stands at the path. Raises what opening a Reader or a LogReader raises."""
    if log is not None:
        return RingAndLog(path, log, start)
    if os.path.isdir(path) or os.fspath(path).endswith(".events"):
        return LogSource(path, start, follow=follow)
    with _plainly(path):
        info(path)
    return RingSource(path, name, start)


@contextlib.contextmanager
def _plainly(path: StrPath) -> Iterator[None]:
    """A file that is no ring may be a log of another name."""
    try:
        yield
    except NotARing as error:
        raise NotARing(f"{error} (nor a log: that is a directory, or a file of the name *.events)") from None
