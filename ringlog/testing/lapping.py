"""Overruns on demand."""

from __future__ import annotations

import os

from ringlog import liveness, slots
from ringlog.describe import info
from ringlog.errors import RingFull
from ringlog.files import StrPath
from ringlog.reader import Reader
from ringlog.testing.rings import TemporaryRing
from ringlog.writer import Writer

TIMEOUT = 20.0  # seconds for the lock


def force_overrun(
    target: Reader | TemporaryRing | StrPath, *, writer: Writer | None = None, data: bytes = b""
) -> range:
    """Let every lossy reader of a ring be lapped now, and return the sequences that were lost.

    target: the reader under test, or its ring. Everything published is given up at once, as by a writer that
    ran around the ring: a reader that has not read it all gets `Overrun` at its next read, or when it leaves
    a view's block, and goes on with what is published then. For a Reader the range is exactly that Overrun:
    its `first` to its `last`. For a ring it is all that was there. If a reader has read everything (or the
    ring is empty), one event of `data` is published first, to be lost.

    writer: through which to do it; needed only if a `lock="session"` writer has the ring open. Blocks for
    the lock, at most 20 seconds without `writer`. Raises RingFull, with nothing lost, if a lossless reader
    has not finished everything yet (that one event of `data` included): the writer waits for those, so they
    are never lapped. ValueError: the reader is itself lossless.
    """
    if isinstance(target, Reader) and target._claim is not None:
        raise ValueError(
            "a lossless or named reader is never lapped while it is open: the writer waits for it"
        )
    path = target._path if isinstance(target, Reader) else os.fspath(target)
    if writer is None:
        with Writer(path, timeout=TIMEOUT) as own:
            return _lap(own, target, data)
    if writer._path != os.path.abspath(path):
        raise ValueError(f"{writer!r} writes another ring than {path}")
    return _lap(writer, target, data)


def _lap(writer: Writer, target: Reader | TemporaryRing | StrPath, data: bytes) -> range:
    seen = info(writer._path)
    first = target.sequence if isinstance(target, Reader) else seen.tail_count
    if first >= seen.event_count:
        writer.append(data)
    drop_window(writer)
    return range(first, info(writer._path).tail_count)


def drop_window(writer: Writer) -> None:
    """Nothing that was published can be read any more. Raises RingFull if a lossless reader still needs
    it."""
    slot = writer._with_lock(writer._drop_window)
    if slot >= 0 and slots.retire_if_dead(writer._mapping, slot):
        return drop_window(writer)  # a dead one needs nothing
    if slot >= 0:
        who = slots.reader_slot(writer._mapping, slot)
        name = f"{who.name!r}, " if who.name else ""
        raise RingFull(
            f"the lossless reader {name}{liveness.describe(who.identity)} is behind and can't be lapped: "
            "let it read on, or close it"
        )
    return None
