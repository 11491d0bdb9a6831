"""How far do rings reach with NATS JetStream between them, from one machine to thousands?

Nothing is measured here but with --calibrate: costs that were measured on one machine are added up for
many (bench/scaling/plan.py), and the times of queues are simulated (bench/scaling/queues.py). The tables are
those of docs/scaling.md: --write puts them there, --check fails if it says something else.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from bench import method
from bench.scaling import page
from bench.scaling.asked import Asked
from bench.scaling.measured import KEPT, OF_BRIDGE, Constants
from bench.scaling.tables import TABLES


def bits(word: str) -> float:
    """10G: bits a second."""
    factors = {"k": 1e3, "M": 1e6, "G": 1e9}
    try:
        value = float(word[:-1]) * factors[word[-1]] if word[-1:] in factors else float(word)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} is no rate of a link: 1G, 10G, 2.5G")
    return value


def numbers(word: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in word.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no list of numbers of machines: 1,10,100")
    return found


def positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number from 1 on")
    return int(word)


def main(argv: list[str]) -> int:
    default = Asked()
    parser = argparse.ArgumentParser(prog="python -m bench scaling", description=__doc__)
    parser.add_argument("--machines", type=numbers, default=default.machines, help="1,10,100")
    parser.add_argument("--readers", type=positive, default=default.readers, help="on each machine")
    parser.add_argument("--size", type=positive, default=default.size, help="bytes of an event")
    parser.add_argument(
        "--rate", type=positive, default=default.rate, help="events a second, where one is needed"
    )
    parser.add_argument("--link", type=bits, default=default.link, help="of machines and servers: 1G, 10G")
    parser.add_argument(
        "--replicas", type=int, choices=(1, 3, 5), default=default.copies, help="of the stream"
    )
    parser.add_argument("--tables", nargs="+", choices=tuple(TABLES), default=tuple(TABLES), metavar="TABLE")
    parser.add_argument(
        "--check", action="store_true", help="only: does the page say what the simulation says?"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--page", type=Path, default=page.PAGE)
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help=f"measure NATS on this machine first, half a minute: {KEPT.name}",
    )
    parser.add_argument("--rounds", type=int, default=1, help="accepted for likeness")
    parser.add_argument("--quick", action="store_true", help="shorter simulations, and no JSON unless --json")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.calibrate:
        machine = method.machine()
        found = importlib.import_module("bench.scaling.calibrate").measure(4000 if given.quick else 40_000)
        print(f"written to {method.save('nats_cost', {'machine': machine, **found}, KEPT)}")
    constants = Constants()
    if given.check:
        return page.check(given.page, constants)
    if given.write:
        print(f"{given.page}: {', '.join(page.write(given.page, constants)) or 'nothing'} changed")
        return 0
    asked = Asked(
        given.machines,
        given.readers,
        given.size,
        given.rate,
        given.link,
        given.replicas,
        1000 if given.quick else default.messages,
    )
    made = {name: TABLES[name][1](constants, asked) for name in given.tables}
    for name, (head, rows) in made.items():
        print(f"{TABLES[name][0]} ({name})\n\n{method.table(head, rows)}\n")
    if not OF_BRIDGE.exists():
        print(f"(no {OF_BRIDGE.name}: what push and pull cost is rough)\n")
    if given.json or not given.quick:
        record = {
            "asked": asked.__dict__,
            "constants": {name: constant._asdict() for name, constant in constants.all.items()},
            "tables": {name: {"head": head, "rows": rows} for name, (head, rows) in made.items()},
        }
        print(f"written to {method.save('scaling', record, given.json)}")
    return 0
