"""`ringlog.record`: a ring's stream into a log, run by run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Literal, Protocol

from ringlog.describe import info
from ringlog.errors import Overrun, RingRemoved, StreamEnded
from ringlog.files import StrPath
from ringlog.log.segments import files_of, first_of
from ringlog.log.writer import LogWriter
from ringlog.reader import Reader

NOTICES = logging.getLogger("ringlog.record")
TURN = 0.1  # seconds between two looks at `stop`, at most
BEHIND = 0.75  # of the ring: more than that unread is said
LONG = 1.0  # seconds of that without a break until it is said: a writer's burst may fill any ring
AGAIN = 10.0  # seconds until it is said again


class _Event(Protocol):
    def is_set(self) -> bool: ...


Stop = Callable[[], bool] | _Event | None


class _Recording(LogWriter):
    """A log that goes on where a ring is: its stream, and its sequences."""

    def __init__(self, path: StrPath, sequence: int, stream: int, **options: object) -> None:
        self._begins = sequence, stream
        super().__init__(path, **options)  # type: ignore[arg-type]


def record(
    ring: StrPath,
    log: StrPath,
    *,
    name: str = "recorder",
    segment_bytes: int = 1 << 30,
    sync: Literal["none", "always"] | float = "none",
    stop: Stop = None,
    lossless: bool = True,
    verify: bool = True,
    keep_bytes: int | None = None,
    keep_age: float | None = None,
    keep_segments: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Copy a ring's stream into a log, until it ends, the ring is removed or `stop` says so; how many events.

    The log goes on where it ended: what it has is never copied again, and what the ring still has is not
    missed. Otherwise a new segment begins behind an exact gap. lossless: as the reader `name`, for which
    the ring's writer waits; without, events that the writer overwrites first are a gap. stop: a callable or
    an Event, asked about each tenth of a second; what was published by then is still copied. verify: check
    each event's checksum on the way. segment_bytes, sync, keep_...: as LogWriter's. progress: called with
    the events and bytes of each run. A new log is for whom the ring is for, by its permissions.

    Blocks. Logs a warning to the logger "ringlog.record" when more than three quarters of the ring have
    waited to be copied for a second. Raises what opening a Reader and a LogWriter raise, CorruptStream,
    OSError (the disk is full), ValueError (the log holds another stream, or more of this one than the ring
    has).
    """
    asked = _asker(stop)
    tell = progress or (lambda _events, _bytes: None)
    seen = info(ring)
    options: dict[str, object] = {
        "segment_bytes": segment_bytes,
        "sync": sync,
        "keep_bytes": keep_bytes,
        "keep_age": keep_age,
        "keep_segments": keep_segments,
        "mode": os.stat(ring).st_mode & 0o666,
    }
    with (
        Reader(ring, start="oldest", name=name if lossless else None) as reader,
        _open_log(log, reader, seen.start_timestamp, options) as writer,
    ):
        return _copy(reader, writer, asked, tell, verify, seen.capacity, seen.start_timestamp)


def _open_log(log: StrPath, reader: Reader, stream: int, options: dict[str, object]) -> LogWriter:
    path = os.path.abspath(os.fspath(log))
    new = not os.path.exists(path) or (os.path.isdir(path) and not files_of(path).now())
    if new:
        reader.seek("oldest")  # of a name that another log has been recorded by, the cursor may be further on
        if path.endswith(".events") and reader.sequence != first_of(path):
            raise ValueError(
                f"{path}: one file begins with event {first_of(path)}, the ring with {reader.sequence}: "
                "record into a directory"
            )
        return _Recording(path, reader.sequence, stream, **options)
    writer = LogWriter(path, **options)  # type: ignore[arg-type]
    try:
        end = writer.sequence
        if writer._is_empty():
            writer._be_of(stream)
        elif writer._segment.stream != stream:
            raise ValueError(f"{path}: holds another stream: record into another directory")
        try:
            reader.seek(end)
        except ValueError:
            raise ValueError(
                f"{path}: goes on at sequence {end}, which the ring has not reached: it is another's"
            ) from None
    except BaseException:
        writer.close()
        raise
    return writer


def _copy(
    reader: Reader,
    writer: LogWriter,
    asked: Callable[[], bool],
    tell: Callable[[int, int], object],
    verify: bool,
    capacity: int,
    stream: int,
) -> int:
    total, last, lag = 0, False, _Lag(capacity)
    while True:
        before = reader.position
        try:
            count = writer._copy_run(reader, writer._limit, verify)
        except Overrun:
            writer._with_lock(lambda: writer._jump(reader.sequence, stream))
            continue
        except (StreamEnded, RingRemoved):
            return total
        total += count
        if count:
            tell(count, reader.position - before)
            if lag.is_long(reader):
                NOTICES.warning("%s: the recording does not keep up with the ring", writer.path)
            continue
        if last:
            return total
        last = asked()  # what was there by now is copied first
        if not last:
            reader._wait(TURN)


class _Lag:
    """Since when most of the ring has been waiting to be copied."""

    def __init__(self, capacity: int) -> None:
        self._most = BEHIND * capacity
        self._since: float | None = None

    def is_long(self, reader: Reader) -> bool:
        """Is it time to say so?"""
        if reader._mapping.snapshot()["write_offset"] - reader.position <= self._most:
            self._since = None
            return False
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since < LONG:
            return False
        self._since = now + AGAIN - LONG
        return True


def _asker(stop: Stop) -> Callable[[], bool]:
    if stop is None:
        return lambda: False
    if callable(stop):
        return stop
    return stop.is_set
