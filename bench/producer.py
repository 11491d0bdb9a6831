"""What does a send cost the producer while nobody reads?

Each sample is a process of its own that opens a contestant, warms it up (all of its room is written over
twice) and then sends in its fastest idiom for a while: nanoseconds of wall time an event. Contestants that
drop, overwrite, or skip who is not there, send freely. One that fills up sends bursts of half its room at
most; what they left is taken out between them, outside the clock, by a reader in the same process that never
waits. The contestants take turns. Ringlog's `append` is set against the best peer that sends one message a
call, batches against the best one in any idiom.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import method
from bench.against_peers import chosen, excuse, versions
from bench.checks import messages
from bench.peers import Peer, Sender
from bench.race import Failed, process, told
from bench.referee import Referee

BAR = 0.6  # of the best peer's cost, at most
PATIENCE = 10.0


def way(peer: type[Peer]) -> str:
    """How a peer can send while nobody reads: "freely", "in bursts" or "no"."""
    return peer.alone or ("no" if peer.lossless else "freely")


def burst(peer: Peer) -> int:
    """How many messages are sent between two looks at the clock: half of the room at most, and 1,024."""
    return 1 << (max(1, min(1024, peer.room // 2 // (peer.size + 16))).bit_length() - 1)


def _bursts(peer: Peer, sender: Sender, seconds: float, drain: Any) -> float:
    """Nanoseconds an event, over as many bursts as take `seconds`."""
    kinds, count = sender.ready(messages(peer.size)[: burst(peer)]), burst(peer)
    many, clock = sender.many, time.perf_counter_ns
    for _ in range(2 * peer.room // (count * peer.size) + 1):
        many(kinds, count)
        drain(count)
    spent = events = 0
    while spent < seconds * 1e9:
        start = clock()
        many(kinds, count)
        spent += clock() - start
        events += count
        drain(count)
    return spent / events


def _send(peer: Peer, seconds: float, control: Connection) -> None:
    with peer.sending() as sender:
        if way(type(peer)) == "freely":
            control.send(_bursts(peer, sender, seconds, lambda count: None))
            return
        with peer.receiving(0) as source:

            def drain(count: int) -> None:
                while count:
                    came = next(source)
                    count -= len(came) if peer.lists else came is not None

            control.send(_bursts(peer, sender, seconds, drain))


def cost(kind: type[Peer], size: int, seconds: float, folder: Path) -> float:
    """Nanoseconds a send, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="producer-") as own:
        peer = kind(Path(own), size, 1)
        with peer.opened(), process(_send, peer, seconds) as sender:
            (nanoseconds,) = told([sender], time.monotonic() + PATIENCE + 10 * seconds)
    return float(nanoseconds)


def measure(
    peers: list[type[Peer]], size: int, rounds: int, seconds: float, folder: Path
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Samples of one size by peer, and why some have none."""
    notes = {peer.name: why for peer in peers if (why := excuse(peer, size, 1))}
    by_name = {peer.name: peer for peer in peers if peer.name not in notes}
    samples: dict[str, list[float]] = {name: [] for name in by_name}
    with tempfile.TemporaryDirectory(dir=folder, prefix="producer-") as own, Referee() as referee:
        for number, order in enumerate(method.turns(list(by_name), rounds), start=1):
            for name in order:
                method.progress(f"{size:,} bytes, round {number}/{rounds}: {name}")
                try:
                    arguments = (by_name[name], size, seconds, Path(own))
                    samples[name].append(referee.ask(cost, *arguments, patience=PATIENCE + 10 * seconds))
                except Failed as failure:
                    notes[name] = str(failure)
    method.progress("")
    return {name: values for name, values in samples.items() if values}, notes


def report(
    peers: list[type[Peer]], size: int, samples: dict[str, list[float]], notes: dict[str, str]
) -> dict[str, Any]:
    """Print the table of one size, and give its record."""
    kinds = {peer.name: peer for peer in peers}
    spreads = {name: method.Spread.of(values) for name, values in samples.items()}
    others = [name for name in spreads if kinds[name].library != "ringlog"]
    best = min(others, key=lambda name: spreads[name].median, default=None)
    singly = [name for name in others if kinds[name].together == 1]
    best_singly = min(singly, key=lambda name: spreads[name].median, default=None)
    lines = [
        [
            name,
            way(kinds[name]),
            f"{spread.median:,.1f}",
            f"{spread.low:,.1f} to {spread.high:,.1f}",
            f"{spread.median / spreads[best].median:.2f}" if best else "-",
        ]
        for name, spread in sorted(spreads.items(), key=lambda item: item[1].median)
    ]
    head = ["Method", "sends", "ns an event", "quartiles", "of the best peer's"]
    print(f"{size:,} bytes\n\n{method.table(head, lines)}\n")
    for name, note in notes.items():
        print(f"- {name}: {note}")
    ratios = {}
    for name, spread in spreads.items():
        against = best_singly if kinds[name].together == 1 else best
        if kinds[name].library == "ringlog" and against:
            ratios[f"{name} / {against}"] = round(spread.median / spreads[against].median, 4)
    for names, ratio in ratios.items():
        print(f"{names}: {ratio:.2f}" + (f" (wanted: {BAR} at most)" if "ringlog / " in names else ""))
    print(flush=True)
    return {
        "size": size,
        "ns_per_event": {name: spread.record() for name, spread in spreads.items()},
        "ways": {name: way(kinds[name]) for name in spreads},
        "notes": notes,
        "best_peer": best,
        "best_peer_singly": best_singly,
        "ratios": ratios,
        "samples": samples,
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench producer", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 1024], help="bytes an event (64 1024)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="peers whose names begin so")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="of sending a sample (0.2)")
    parser.add_argument("--quick", action="store_true", help="two short rounds, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    rounds, seconds = (2, 0.02) if given.quick else (given.rounds, given.seconds)
    peers = [peer for peer in chosen(given.only) if way(peer) != "no"]
    if not peers:
        parser.error("none of these can send without a reader")
    record: dict[str, Any] = {
        "machine": method.machine(given.dir),
        "versions": versions(peers),
        "parameters": {"sizes": given.sizes, "rounds": rounds, "seconds": seconds, "bar": BAR},
    }
    record["sizes"] = [
        report(peers, size, *measure(peers, size, rounds, seconds, given.dir)) for size in given.sizes
    ]
    if given.json or not given.quick:
        print(f"written to {method.save('producer', record, given.json)}")
    return 0
