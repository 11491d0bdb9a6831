"""How many events a second does ringlog bring to N readers, beside everything a user could pick instead?

One sender, N readers, each in a process of its own; every reader counts and checks each message, order and
every byte of it (bench/race.py). Measured from the first send to the last check of the last reader. The
contestants of a cell, a size and a number of readers, take turns. How many messages a run has is found for
each of them, so that it takes about as long as any other's: from a first short run, and then from its last.

A lossless contestant makes the sender wait, a lossy one drops: then `lost` says how much of what was sent a
reader did not get, and its rate is what it got.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import method, peers_report
from bench.checks import messages
from bench.peers import PEERS, Peer, missing
from bench.race import Failed, Race, run
from bench.referee import Referee

FEWEST = 3  # rounds, where time is short
STRIKES = 2  # failures after which a contestant is left out of a cell
FIRST = 16 << 20  # bytes at most in the first run of all
LONGEST = 10.0  # seconds that a run may take beyond what is expected


@dataclass
class Entry:
    """A contestant in a cell, and what became of it."""

    peer: type[Peer]
    size: int
    readers: int
    samples: list[Race] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    excuse: str = ""  # why it does not take part

    @property
    def takes_part(self) -> bool:
        return not self.excuse and len(self.failures) < STRIKES


def excuse(peer: type[Peer], size: int, readers: int) -> str:
    """Why a peer can't take part in a cell."""
    if absent := missing(peer):
        return f"not installed: {', '.join(absent)}"
    if readers > peer.most_readers:
        return f"at most {peer.most_readers} reader{'s' if peer.most_readers > 1 else ''}"
    if not peer.least_size <= size <= peer.greatest_size:
        return f"messages of {peer.least_size:,} to {peer.greatest_size:,} bytes only"
    return ""


class Pace:
    """How many messages make a run of the wanted length, for every peer and size, by what was last seen."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: dict[tuple[type[Peer], int], tuple[float, int]] = {}

    def count(self, entry: Entry) -> int:
        kinds = len(messages(entry.size)) if entry.size > 1024 else 1024
        seen = self._seen.get((entry.peer, entry.size))
        if seen is None:
            wanted = float(min(16384, FIRST // entry.size))
        else:
            rate, readers = seen
            wanted = rate * self.seconds * min(1.0, readers / entry.readers)
        step = min(kinds, 1024)
        return max(1, round(wanted / step)) * step

    def knows(self, entry: Entry) -> bool:
        return (entry.peer, entry.size) in self._seen

    def learn(self, entry: Entry, race: Race) -> None:
        self._seen[entry.peer, entry.size] = (race.count / race.seconds, entry.readers)

    def patience(self, entry: Entry) -> float:
        return LONGEST + 5 * self.seconds + entry.readers

    def long_enough(self, race: Race) -> bool:
        return race.seconds > self.seconds / 3


def once(referee: Referee, entry: Entry, pace: Pace, where: Path) -> None:
    """One sample, or one failure.

    A run that turns out much too short is repeated with more messages; the first of a size only sets the
    pace.
    """
    for _ in range(4):
        known, patience = pace.knows(entry), pace.patience(entry)
        arguments = (entry.peer, entry.size, entry.readers, pace.count(entry), patience, where)
        try:
            race: Race = referee.ask(run, *arguments, patience=patience)
        except Failed as failure:
            entry.failures.append(str(failure))
            return
        pace.learn(entry, race)
        if known and pace.long_enough(race):
            break
    entry.samples.append(race)


def run_cell(referee: Referee, entries: list[Entry], rounds: int, pace: Pace, where: Path) -> None:
    """The contestants of one cell, in turns."""
    places = {f"{number}": entry for number, entry in enumerate(entries) if not entry.excuse}
    if not places:
        return
    for number, order in enumerate(method.turns(list(places), rounds), start=1):
        for entry in (places[name] for name in order):
            if entry.takes_part:
                what = f"{entry.size:,} bytes, {entry.readers} readers, round {number}/{rounds}"
                method.progress(f"{what}: {entry.peer.name}")
                once(referee, entry, pace, where)
    method.progress("")


def cost(cell: list[Entry], rounds: int, seconds: float) -> float:
    """Seconds that a cell will take, about: starting processes costs as much as the runs do."""
    active = sum(not entry.excuse for entry in cell)
    return active * (rounds + 0.5) * (seconds * 1.2 + 0.2 + 0.13 * (1 + cell[0].readers))


def rounds_of(cells: list[list[Entry]], wanted: int, seconds: float, minutes: float) -> list[int]:
    """As many rounds as were asked for, but fewer in the cells with most readers if time is too short."""
    rounds = [wanted] * len(cells)
    while sum(cost(c, r, seconds) for c, r in zip(cells, rounds, strict=True)) > minutes * 60:
        most = max(rounds)
        if most <= FEWEST:
            break
        costs = [cost(c, r, seconds) if r > FEWEST else 0.0 for c, r in zip(cells, rounds, strict=True)]
        rounds[costs.index(max(costs))] -= 1
    return rounds


def versions(peers: list[type[Peer]]) -> dict[str, str]:
    found = {}
    for library in sorted({peer.library for peer in peers} - {"python"}):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def chosen(only: list[str] | None) -> list[type[Peer]]:
    """The peers whose name begins with one of the words; all without words."""
    if not only:
        return list(PEERS)
    return [peer for peer in PEERS if any(peer.name.lower().startswith(word.lower()) for word in only)]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 1024, 65536, 1 << 20], help="bytes")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="peers whose names begin so")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="that a run takes, about (0.4)")
    parser.add_argument("--minutes", type=float, default=35, help="fewer rounds, at least 3, if more (35)")
    parser.add_argument("--quick", action="store_true", help="64 bytes, one reader, one short round, no JSON")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"), help="where folders of rings are made")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.sizes, given.readers, given.rounds, given.seconds = [64], [1], 1, 0.05
    peers = chosen(given.only)
    if not peers:
        parser.error(f"no peer's name begins so: {', '.join(peer.name for peer in PEERS)}")
    cells = [
        [Entry(peer, size, readers, excuse=excuse(peer, size, readers)) for peer in peers]
        for size in given.sizes
        for readers in sorted(given.readers)
    ]
    rounds = rounds_of(cells, given.rounds, given.seconds, given.minutes)
    expected = sum(cost(c, r, given.seconds) for c, r in zip(cells, rounds, strict=True))
    record: dict[str, Any] = {
        "machine": method.machine(given.dir),
        "versions": versions(peers),
        "parameters": {
            "sizes": given.sizes,
            "readers": given.readers,
            "seconds": given.seconds,
            "rounds": given.rounds,
            "only": given.only,
        },
    }
    print(f"{len(cells)} cells, {min(rounds)} to {max(rounds)} rounds, about {expected / 60:.0f} minutes\n")
    sys.stdout.flush()
    pace, rows, start = Pace(given.seconds), [], time.monotonic()
    with tempfile.TemporaryDirectory(dir=given.dir, prefix="peers-") as where, Referee() as referee:
        planned = 0.0
        for number, cell in enumerate(cells):
            if number:  # a machine that is slower than was thought gets fewer rounds in what is left
                spent = time.monotonic() - start
                left = (given.minutes - spent / 60) / max(1.0, spent / max(planned, 1.0))
                rounds[number:] = rounds_of(cells[number:], given.rounds, given.seconds, left)
            planned += cost(cell, rounds[number], given.seconds)
            run_cell(referee, cell, rounds[number], pace, Path(where))
            cell_rows = peers_report.cell(cell)
            rows += cell_rows
            print(peers_report.table(cell_rows), flush=True)
    record["rows"] = rows
    record["bars"] = peers_report.bars(rows)
    record["parameters"]["rounds of each cell"] = rounds
    record["minutes"] = round((time.monotonic() - start) / 60, 1)
    print(peers_report.bar_table(record["bars"]))
    if given.json or not given.quick:
        print(f"\nwritten to {method.save('peers', record, given.json)}")
    return 0
