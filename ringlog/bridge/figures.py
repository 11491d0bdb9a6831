"""What a push or a pull tells of itself: kept beside its ring, for `ringlog bridge status` and the exporter
(read by boards.py)."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from ringlog import liveness
from ringlog.files import StrPath

State = Literal["connecting", "running", "blocked", "disconnected", "ended", "stopped", "failed"]
INTERVAL = 1.0  # seconds between two writings
SETTLED = 0.5  # seconds: a rate is of as much time, or more
ENDING = ".bridge"


@dataclass
class Figures:
    """Of one push or pull, counted since it was started.

    state: "blocked": it waits for a reader of the local ring, or for room at the server, as `note` says;
    "disconnected": for the server, whether or not there is something to pass on.
    state_since: Unix time from which on it is in this state. sequence: the next event to pass on; everything
    before it is kept (push), or in the local ring (pull). lag_events, lag_seconds: events that are there and
    not passed on yet, and the age of the oldest of them. gaps, missing: how often events were missing, and
    how many. duplicates: events that came again, and were left out. events_per_second, bytes_per_second: of
    the last second or so. updated: Unix time of these figures.

    since_boot (nanoseconds) and namespace say with `pid` which process it is: a number alone comes back, and
    means another process in another container.
    """

    direction: Literal["push", "pull"]
    path: str
    address: str
    name: str = ""  # of the reader that push is
    pid: int = 0
    started: float = 0.0
    state: State = "connecting"
    note: str = ""
    stream: str = ""
    sequence: int = 0
    events: int = 0
    bytes: int = 0
    messages: int = 0
    in_flight: int = 0
    lag_events: int = 0
    lag_seconds: float = 0.0
    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    reconnects: int = 0
    updated: float = 0.0
    events_per_second: float = 0.0
    bytes_per_second: float = 0.0
    state_since: float = 0.0
    since_boot: int = 0
    namespace: int = 0


class Board:
    """The file that a process writes its figures to: hidden, beside the ring (or the log), one a direction
    and name. Gone when the process closes it; left behind by one that was killed, so that this can be seen.

    Fills in what tells which process this is, since when the state is what it is, and the rates.
    """

    def __init__(self, figures: Figures, mode: int) -> None:
        self.figures = figures
        self._path = board_path(figures.path, figures.direction, figures.name)
        self._mode = mode
        self._next = 0.0
        self._before = time.monotonic(), figures.events, figures.bytes
        self._state: State | None = None
        figures.pid = os.getpid()
        figures.since_boot = liveness.own_identity().since_boot
        figures.namespace = pid_namespace()

    def update(self, *, now: bool = False) -> None:
        """Write them, at most once a second unless `now`. A folder that can't be written to is let be."""
        if self.figures.state != self._state:
            self._state = self.figures.state
            self.figures.state_since = time.time()
        clock = time.monotonic()
        if not now and clock < self._next:
            return
        self._next = clock + INTERVAL
        self._take_rates(clock)
        self.figures.updated = time.time()
        with contextlib.suppress(OSError):
            self._write(json.dumps(dataclasses.asdict(self.figures)).encode())

    def close(self) -> None:
        """Take it away."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _take_rates(self, clock: float) -> None:
        when, events, size = self._before
        if (seconds := clock - when) >= SETTLED:
            self.figures.events_per_second = (self.figures.events - events) / seconds
            self.figures.bytes_per_second = (self.figures.bytes - size) / seconds
            self._before = clock, self.figures.events, self.figures.bytes

    def _write(self, data: bytes) -> None:
        """Whole or not at all. Raises OSError."""
        temporary = f"{self._path}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(temporary, flags, 0o600)
        except FileExistsError:  # of one that had our number, and was killed as it wrote
            os.unlink(temporary)
            fd = os.open(temporary, flags, 0o600)
        try:
            try:
                os.fchmod(fd, self._mode)
                os.write(fd, data)
            finally:
                os.close(fd)
            os.replace(temporary, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def board_path(path: StrPath, direction: str, name: str) -> str:
    """Where the figures of a push or pull of the ring (or log) at `path` are."""
    folder, base = os.path.split(os.path.abspath(os.fspath(path)))
    return os.path.join(folder, f".{base}.{direction}{'-' + quote(name, safe='') if name else ''}{ENDING}")


def pid_namespace() -> int:
    """Which pid namespace this process is in; 0 if that can't be told."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
