"""Input for ``ringlog write``: from bytes as they arrive to batches of events."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Iterator

from ringlog.cli.errors import ExitCode, Failure, code_of
from ringlog.cli.values import size_text

ENTRY = 16  # bytes that an event needs besides its data
SOONEST, LATEST = 0.01, 0.25  # seconds between looks at a followed file: fresh, and long idle

Batches = Iterator[list[bytes]]


class Lines:
    """Cuts chunks of bytes into events, in batches that a ring of this capacity takes as one.

    A line is given out as soon as its end was seen, and what came in one chunk goes out together.
    """

    def __init__(self, name: str, capacity: int, separator: bytes = b"\n", keep: bool = False) -> None:
        self._name = name
        self._capacity = capacity
        self._limit = capacity // 2
        self._separator = separator
        self._keep = separator if keep else b""
        self._begun: list[bytes] = []  # pieces of a line whose end has not come yet
        self._begun_size = 0
        self._number = 0

    def feed(self, chunk: bytes) -> Batches:
        """The lines that ``chunk`` completes."""
        head, separator, rest = chunk.rpartition(self._separator)
        if separator:
            yield from self._cut((b"".join(self._begun) + head).split(self._separator), self._keep)
            self._begun, self._begun_size = [], 0
        if rest:
            self._begun.append(rest)
            self._begun_size += len(rest)
            if ENTRY + self._begun_size + len(self._keep) > self._limit:
                raise self._too_large()

    def finish(self) -> Batches:
        """The last line, if it has no end of its own; the next line is number 1 again."""
        if self._begun:
            yield from self._cut([b"".join(self._begun)], b"")
        self._begun, self._begun_size = [], 0
        self._number = 0

    def _cut(self, lines: list[bytes], end: bytes) -> Batches:
        if end:
            lines = [line + end for line in lines]
        if ENTRY * len(lines) + sum(map(len, lines)) <= self._limit:
            self._number += len(lines)
            yield lines
            return
        batch: list[bytes] = []
        room = self._limit
        for line in lines:
            needs = ENTRY + len(line)
            if needs > room:
                if batch:
                    yield batch
                batch, room = [], self._limit
                if needs > room:
                    raise self._too_large()
            batch.append(line)
            room -= needs
            self._number += 1
        yield batch

    def _too_large(self) -> Failure:
        most = self._limit - ENTRY
        return Failure(
            f"{self._name}: line {self._number + 1} is too large: this ring of {size_text(self._capacity)} "
            f"takes at most {most} bytes an event (a larger ring: --capacity when it is created)",
            ExitCode.BAD_DATA,
        )


class Source:
    """An input file or standard input, opened."""

    def __init__(self, path: str, descriptor: int | None = None) -> None:
        self.path = path
        self.name = "standard input" if descriptor is not None else path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if descriptor is None else descriptor
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise self._failure(error) from error
        self.is_file = stat.S_ISREG(status.st_mode)
        self.is_terminal = os.isatty(self._descriptor)
        self.size = status.st_size if self.is_file else None

    def once(self, lines: Lines, at_once: int) -> Batches:
        """From where it stands to its end."""
        while chunk := self._read(at_once):
            yield from lines.feed(chunk)
        yield from lines.finish()

    def repeated(self, lines: Lines, at_once: int, times: float) -> Batches:
        """From the beginning to the end, ``times`` times."""
        while times > 0:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            empty = True
            for batch in self.once(lines, at_once):
                empty = False
                yield batch
            if empty:
                raise Failure(f"{self.name}: empty, nothing to repeat")
            times -= 1

    def followed(self, lines: Lines, at_once: int, notice: Callable[[str], None]) -> Batches:
        """On and on as it grows; from the beginning when it was cut, or another has its name."""
        position = 0
        pause = SOONEST
        while True:
            if chunk := self._read(at_once):
                position += len(chunk)
                pause = SOONEST
                yield from lines.feed(chunk)
                continue
            if os.fstat(self._descriptor).st_size < position:
                notice(f"{self.name}: truncated, going on from its beginning")
                yield from lines.finish()
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                position = 0
            elif (successor := self._successor()) is not None:
                yield from self.once(lines, at_once)  # what was added before it was replaced
                notice(f"{self.name}: replaced, going on with the new file")
                os.dup2(successor, self._descriptor, inheritable=False)
                os.close(successor)
                position = 0
            else:
                time.sleep(pause)
                pause = min(2 * pause, LATEST)

    def _successor(self) -> int | None:
        """The file that has this name now, opened, if that is another one."""
        try:
            successor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None  # between two files, or gone: whoever has it open may still write
        except OSError as error:
            raise self._failure(error) from error
        new, old = os.fstat(successor), os.fstat(self._descriptor)
        if (new.st_dev, new.st_ino) == (old.st_dev, old.st_ino):
            os.close(successor)
            return None
        if not stat.S_ISREG(new.st_mode):
            raise Failure(f"{self.name}: replaced by something that is not a regular file")
        return successor

    def _read(self, at_once: int) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, at_once)
            except BlockingIOError:
                select.select([self._descriptor], [], [])
            except OSError as error:
                raise self._failure(error) from error

    def _failure(self, error: OSError) -> Failure:
        return Failure(f"{self.name}: {error.strerror}", code_of(error))


def wait_for_file(path: str, notice: Callable[[str], None]) -> None:
    """Return once ``path`` is there to be opened."""
    told = False
    while not os.path.lexists(path):
        if not told:
            notice(f"{path}: not there yet, waiting for it")
            told = True
        time.sleep(LATEST)
