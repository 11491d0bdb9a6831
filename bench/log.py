"""How fast are events kept on disk and found again: by a log, a buffered file, SQLite and LMDB?

Each contestant appends the same events, one call an event or many a call, to files of its own; then reads
all of them in order, and then single ones by their number, in an order that nobody can guess. Every event
read is compared. Beside that, what only streams do: recording a ring, and replaying into one. Nothing is
synced, unless a name says so. Contestants take turns, each sample in a process of its own. With --limit the
processes live in a control group with that much memory, page cache included, where the machine allows it:
then files are larger.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sqlite3
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ringlog
from bench import method
from bench.processes import apart
from ringlog.log.replaying import replay

TOGETHER = 1000  # events in a call, or in a transaction
SEEKS = 2000
Rates = dict[str, float]


def events(size: int) -> list[bytes]:
    return [k.to_bytes(8, "little") + bytes([k & 255]) * (size - 8) for k in range(4096)]


def in_turn(kinds: Sequence[bytes], count: int) -> Iterator[bytes]:
    return itertools.islice(itertools.cycle(kinds), count)


def lists(kinds: Sequence[bytes], count: int) -> Iterator[list[bytes]]:
    source = in_turn(kinds, count)
    while batch := list(itertools.islice(source, TOGETHER)):
        yield batch


class Kept:
    """One way to keep events in a folder."""

    name: str
    needs = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        raise NotImplementedError

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
    name = "ringlog, append_many"

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        with ringlog.LogWriter(self.folder / "log") as writer:
            for batch in lists(kinds, count):
                writer.append_many(batch)

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

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        pack = self.LENGTH.pack
        with (self.folder / "file").open("wb", buffering=1 << 20) as file:
            write = file.write
            for event in in_turn(kinds, count):
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

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        base = self.connect()
        for batch in lists(kinds, count):
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

    def append(self, kinds: Sequence[bytes], count: int) -> None:
        base, pack, number = self.open(), self.KEY.pack, 0
        for batch in lists(kinds, count):
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


# ---- samples ----


def enter(group: str | None) -> None:
    if group:
        Path(group, "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def keep(kind: type[Kept], folder: Path, size: int, count: int, group: str | None) -> Rates:
    """Events a second: appended, scanned, found."""
    enter(group)
    kept, kinds = kind(folder), events(size)
    start = time.perf_counter()
    kept.append(kinds, count)
    appended = time.perf_counter() - start
    start = time.perf_counter()
    wrong = sum(data != want for data, want in zip(kept.scan(), in_turn(kinds, count), strict=True))
    scanned = time.perf_counter() - start
    find, dice = kept.finder(), random.Random(1)
    goals = [dice.randrange(count) for _ in range(SEEKS)]
    start = time.perf_counter()
    wrong += sum(find(goal) != kinds[goal % len(kinds)] for goal in goals)
    found = time.perf_counter() - start
    if wrong:
        raise SystemExit(f"{kind.name}: {wrong} events wrong")
    return {"append": count / appended, "scan": count / scanned, "seek": SEEKS / found}


def stream(folder: Path, size: int, count: int, group: str | None) -> Rates:
    """A ring that is recorded while it is written, and the log replayed into another."""
    enter(group)
    capacity, kinds = 64 << 20, events(size)
    for name in ("from", "to"):
        ringlog.create(folder / name, capacity)
    fits = capacity // 2 // (size + 16)
    took = done = 0.0
    with ringlog.Writer(folder / "from") as writer:
        for start in range(0, count, fits):
            some = min(fits, count - start)
            for batch in lists(kinds, some):
                writer.append_many(batch)
            begin = time.perf_counter()
            done += ringlog.record(folder / "from", folder / "log", stop=lambda: True)
            took += time.perf_counter() - begin
    begin = time.perf_counter()
    with ringlog.Writer(folder / "to") as writer:
        replayed = replay(folder / "log", writer, speed=None)
    seconds = time.perf_counter() - begin
    for name in ("from", "to"):
        ringlog.unlink(folder / name)
    if done != count or replayed.events != count:
        raise SystemExit(f"{done} recorded and {replayed.events} replayed of {count}")
    return {"record": count / took, "replay": count / seconds}


def sampled(kind: type[Kept] | None, where: Path, size: int, count: int, group: str | None) -> Rates:
    with tempfile.TemporaryDirectory(dir=where, prefix="log-") as folder:
        arguments = (Path(folder), size, count, group)
        return apart(stream, *arguments) if kind is None else apart(keep, kind, *arguments)


def limited(megabytes: int) -> str | None:
    """A control group with so much memory, or None where none can be made."""
    group = Path(f"/sys/fs/cgroup/ringlog-bench-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.max").write_text(str(megabytes << 20), encoding="ascii")
    except OSError:
        return None
    return str(group)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench log", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 64], help="bytes an event (1024 64)")
    parser.add_argument("--megabytes", type=int, default=100, help="of data (100)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=None, metavar="MB", help="memory for each sample")
    parser.add_argument("--quick", action="store_true", help="one round of 2 MB, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.megabytes, given.rounds = 2, 1
    group = limited(given.limit) if given.limit else None
    if given.limit and group is None:
        print(f"no control group can be made here: without a limit of {given.limit} MB\n")
    rows: list[dict[str, Any]] = []
    try:
        for size in given.sizes:
            rows += of_size(given, size, group)
    finally:
        if group:
            os.rmdir(group)
    record = {
        "machine": method.machine(given.dir),
        "parameters": {
            "megabytes": given.megabytes,
            "rounds": given.rounds,
            "limit": given.limit if group else None,
        },
        "rows": rows,
    }
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('log', record, given.json)}")
    return 0


def of_size(given: argparse.Namespace, size: int, group: str | None) -> list[dict[str, Any]]:
    count = given.megabytes * 1_000_000 // size
    there = [kind for kind in CONTESTANTS if not kind.needs or find_spec(kind.needs)]
    tasks: dict[str, Callable[[], Rates]] = {
        kind.name: lambda kind=kind: sampled(kind, given.dir, size, count, group)  # type: ignore[misc]
        for kind in there
    }
    tasks["ringlog, a ring recorded and replayed"] = lambda: sampled(None, given.dir, size, count, group)
    samples = method.interleave(tasks, given.rounds)
    print(f"{size:,} bytes, {count:,} events; events a second, medians of {given.rounds} rounds\n")
    columns = ("append", "scan", "seek", "record", "replay")
    rows, lines = [], []
    for name, rates in samples.items():
        spreads = {c: method.Spread.of([r[c] for r in rates]) for c in columns if c in rates[0]}
        rows.append(
            {
                "method": name,
                "size": size,
                "rates": {c: s.record() for c, s in spreads.items()},
                "samples": rates,
            }
        )
        lines.append([name, *(f"{spreads[c].median:,.0f}" if c in spreads else "-" for c in columns)])
    lines += [[kind.name, *["not installed"] * len(columns)] for kind in CONTESTANTS if kind not in there]
    print(method.table(["Method", *columns], lines), end="\n\n", flush=True)
    return rows


__all__ = ["CONTESTANTS", "main"]
