"""Ways to keep events on disk and to find them again: each in its fastest honest Python idiom.

A contestant appends events to files of its own in a folder, then gives all of them in order, then single ones
by their number. A timestamp is kept where the others have one for free.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ringlog
from ringlog.log.replaying import replay

TOGETHER = 1000  # events in a call, or in a transaction


def events(size: int) -> list[bytes]:
    return [k.to_bytes(8, "little") + bytes([k & 255]) * (size - 8) for k in range(4096)]


def in_turn(kinds: Sequence[bytes], count: int) -> Iterator[bytes]:
    return itertools.islice(itertools.cycle(kinds), count)


def lists(kinds: Sequence[bytes], count: int) -> Iterator[list[bytes]]:
    source = in_turn(kinds, count)
    while batch := list(itertools.islice(source, TOGETHER)):
        yield batch


class Source:
    """A ring of events to be recorded: filled whenever its reader has taken all, by a clock that stands."""

    def __init__(self, writer: ringlog.Writer, kinds: Sequence[bytes], count: int, fits: int) -> None:
        self.filling = 0.0  # seconds
        self._writer = writer
        self._batches = lists(kinds, count)
        self._fits = fits // TOGETHER

    def fill(self) -> bool:
        begin = time.perf_counter()
        done = 0
        for batch in itertools.islice(self._batches, self._fits):
            done += len(self._writer.append_many(batch))
        self.filling += time.perf_counter() - begin
        return done > 0

    def batches(self, ring: Path) -> Iterator[list[bytes]]:
        with ringlog.Reader(ring, start="oldest", lossless=True, name="bench") as reader:
            while self.fill():
                while batch := reader.read_many(TOGETHER):
                    yield [event.data for event in batch]


class Kept:
    """One way to keep events in a folder."""

    name: str
    needs = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        self.take(lists(kinds, count))

    def take(self, batches: Iterable[list[bytes]]) -> None:
        """Append lists of events, as many a call or a transaction as they have."""
        raise NotImplementedError

    def record(self, ring: Path, source: Source) -> None:
        """Keep what a ring's reader takes."""
        self.take(source.batches(ring))

    def replay(self, writer: ringlog.Writer) -> int:
        """Write all into a ring, and say how many."""
        scan, done = self.scan(), 0
        while batch := list(itertools.islice(scan, TOGETHER)):
            done += len(writer.append_many(batch))
        return done

    def scan(self) -> Iterator[Any]:
        raise NotImplementedError

    def finder(self) -> Callable[[int], Any]:
        raise NotImplementedError


class Log(Kept):
    name = "ringlog, append"

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        with ringlog.LogWriter(self.folder / "log") as writer:
            append = writer.append
            for event in in_turn(kinds, count):
                append(event)

    def scan(self) -> Iterator[Any]:
        with ringlog.LogReader(self.folder / "log") as reader:
            for event in reader:
                yield event.data

    def finder(self) -> Callable[[int], Any]:
        reader = ringlog.LogReader(self.folder / "log")

        def find(number: int) -> bytes:
            reader.seek(number)
            return reader.read(0).data

        return find


class LogMany(Log):
    name = "ringlog, append_many, record, replay"

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        self.take(lists(kinds, count))

    def take(self, batches: Iterable[list[bytes]]) -> None:
        with ringlog.LogWriter(self.folder / "log") as writer:
            for batch in batches:
                writer.append_many(batch)

    def record(self, ring: Path, source: Source) -> None:
        source.fill()
        ringlog.record(ring, self.folder / "log", stop=lambda: not source.fill())  # asked when all is copied

    def replay(self, writer: ringlog.Writer) -> int:
        return replay(self.folder / "log", writer, speed=None).events

    def scan(self) -> Iterator[Any]:
        with ringlog.LogReader(self.folder / "log") as reader:
            while True:
                try:
                    yield from [event.data for event in reader.read_many(TOGETHER)]
                except ringlog.StreamEnded:
                    return


class Buffered(Kept):
    """A length in front of each; where every thousandth begins is kept in memory."""

    name = "a buffered file"
    LENGTH = struct.Struct("<I")

    def take(self, batches: Iterable[list[bytes]]) -> None:
        pack = self.LENGTH.pack
        with (self.folder / "file").open("wb", buffering=1 << 20) as file:
            write = file.write
            for batch in batches:
                for event in batch:
                    write(pack(len(event)))
                    write(event)

    def scan(self) -> Iterator[Any]:
        unpack, size = self.LENGTH.unpack, self.LENGTH.size
        with (self.folder / "file").open("rb", buffering=1 << 20) as file:
            read = file.read
            while head := read(size):
                yield read(unpack(head)[0])

    def finder(self) -> Callable[[int], Any]:
        file = (self.folder / "file").open("rb")
        unpack, size, places, at = self.LENGTH.unpack, self.LENGTH.size, [], 0
        for number, event in enumerate(self.scan()):
            if number % 1000 == 0:
                places.append(at)
            at += size + len(event)

        def find(number: int) -> bytes:
            file.seek(places[number // 1000])
            for _ in range(number % 1000):
                file.seek(unpack(file.read(size))[0], os.SEEK_CUR)
            return file.read(unpack(file.read(size))[0])

        return find


class Sqlite(Kept):
    """A row an event, a transaction for a thousand, WAL."""

    name = "sqlite3, WAL, 1,000 a transaction"

    def connect(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.folder / "base")
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=OFF")
        base.execute(
            "CREATE TABLE IF NOT EXISTS event (sequence INTEGER PRIMARY KEY, timestamp INTEGER, data BLOB)"
        )
        return base

    def take(self, batches: Iterable[list[bytes]]) -> None:
        base = self.connect()
        for batch in batches:
            with base:
                base.executemany(
                    "INSERT INTO event (timestamp, data) VALUES (?, ?)",
                    [(time.time_ns(), event) for event in batch],
                )
        base.close()

    def scan(self) -> Iterator[Any]:
        for (data,) in self.connect().execute("SELECT data FROM event ORDER BY sequence"):
            yield data

    def finder(self) -> Callable[[int], Any]:
        base = self.connect()
        return lambda n: base.execute("SELECT data FROM event WHERE sequence = ?", (n + 1,)).fetchone()[0]


class Lmdb(Kept):
    """A key of eight bytes an event, a transaction for a thousand, appended in order."""

    name = "LMDB, 1,000 a transaction"
    needs = "lmdb"
    KEY = struct.Struct(">Q")

    def open(self) -> Any:
        import lmdb

        return lmdb.open(str(self.folder / "lmdb"), map_size=1 << 36, sync=False, metasync=False)

    def take(self, batches: Iterable[list[bytes]]) -> None:
        base, pack, number = self.open(), self.KEY.pack, 0
        for batch in batches:
            with base.begin(write=True) as transaction:
                for event in batch:
                    transaction.put(pack(number), event, append=True)
                    number += 1
        base.close()

    def scan(self) -> Iterator[Any]:
        with self.open().begin() as transaction:
            for _, value in transaction.cursor():
                yield value

    def finder(self) -> Callable[[int], Any]:
        base, pack = self.open(), self.KEY.pack
        transaction = base.begin()
        return lambda n: transaction.get(pack(n))


CONTESTANTS: tuple[type[Kept], ...] = (Log, LogMany, Buffered, Sqlite, Lmdb)


__all__ = ["CONTESTANTS", "TOGETHER", "Kept", "Source", "events", "in_turn", "lists"]
