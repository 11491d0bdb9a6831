"""``ringlog bench``: how fast is it here?"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import click

from ringlog import measuring
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, explained
from ringlog.cli.manual import manual
from ringlog.words import size_text

SHORTEST, LONGEST = 0.5, 600.0


@click.command(
    "bench",
    short_help="Measure, for ten seconds, how fast ringlog is on this machine.",
    epilog=manual(
        ("ringlog bench", "ten seconds"),
        ("ringlog bench --seconds 60", "with less noise"),
        ("ringlog bench --json > here.json", "every sample, to compare"),
        codes=(ExitCode.DONE, ExitCode.FAILED, ExitCode.REFUSED),
    ),
)
@click.option(
    "--seconds",
    type=click.FloatRange(SHORTEST, LONGEST),
    default=10.0,
    show_default=True,
    help="About how long to measure.",
)
@output.json_option
def command(seconds: float, as_json: bool) -> None:
    """Measure how fast ringlog is on this machine, beside multiprocessing.Pipe in the same run.

    Two real processes: one sends, the other receives and compares every byte; nothing is lost. Messages a
    second come from Python loops on both sides, sent one by one and in batches of 256, at 64 bytes and at
    1 KiB; latency is from the moment when a message is due, one a millisecond, until the reader has it, with
    a reader that spins and with one that sleeps and is woken. The contestants take turns for five rounds:
    shown is the median, with the lowest and the highest. Rings are made in /dev/shm (12 MiB) and removed.

    Other work on the machine makes it slower: see the load that is printed, and run it more than once.
    """
    show_progress = output.is_terminal(output.STDERR)

    def told(what: str) -> None:
        if show_progress:
            click.echo(f"\r\x1b[K{what}", nl=False, err=True)

    facts = measuring.machine()
    try:
        with explained("bench"):
            result = measuring.measure(seconds, told)
    finally:
        told("")
    if as_json:
        output.print_json(as_dict(facts, result))
    else:
        output.Output().write(text_of(facts, result).encode())


def as_dict(facts: dict[str, Any], result: measuring.Result) -> dict[str, Any]:
    """Rates in messages a second, times in seconds."""
    return {
        "machine": facts,
        "throughput": [{**dataclasses.asdict(one), "median": one.median} for one in result.throughput],
        "latency": [dataclasses.asdict(one) for one in result.latency],
        "remarks": remarks(facts),
        "seconds": round(result.seconds, 3),
    }


def text_of(facts: dict[str, Any], result: measuring.Result) -> str:
    """Tables that fit into 80 columns."""
    lines = [
        f"{facts['processor']}, {facts['cores']} cores, load {facts['load']}",
        f"Linux {facts['kernel']}, {facts['python']}, ringlog {facts['ringlog']}",
    ]
    for size in dict.fromkeys(one.size for one in result.throughput):
        rows = [one for one in result.throughput if one.size == size]
        lines += ["", f"{f'messages of {size_text(size)} a second':<38} {'median':>8}   lowest to highest"]
        for one in rows:
            low, high = min(one.rates), max(one.rates)
            lines.append(f"  {one.name:<36} {_rate(one.median):>8}   {_rate(low)} to {_rate(high)}")
    samples = min((one.samples for one in result.latency), default=0)
    title = f"latency, one way ({samples} messages each)"
    lines += ["", f"{title:<38} {'p50':>8}   lowest to highest       p99"]
    for row in result.latency:
        spread = f"{_time(min(row.medians))} to {_time(max(row.medians))}"
        lines.append(f"  {row.name:<36} {_time(row.p50):>8}   {spread:<20} {_time(row.p99):>8}")
    found = remarks(facts)
    return "\n".join(lines + (["", *found] if found else [])) + "\n"


def remarks(facts: dict[str, Any]) -> list[str]:
    """What makes the figures worth less."""
    found = []
    if facts["cores"] < 2:
        found.append("one core only: sender and receiver take turns on it, and a spinning reader is left out")
    if facts["load"] > facts["cores"] / 2:
        found.append("other processes were busy: the figures are lower than this machine's best")
    if os.environ.get("PYTHONMALLOC") or os.environ.get("PYTHONDEVMODE"):
        found.append("this Python runs in a mode for finding mistakes, which is slow")
    return found


def _rate(rate: float) -> str:
    """``11.9 M``, ``703 k``."""
    if rate >= 1e6:
        return f"{rate / 1e6:.3g} M"
    return f"{rate / 1e3:.3g} k" if rate < 999_500 else "1 M"


def _time(seconds: float) -> str:
    """``493 ns``, ``40.1 µs``, ``1.41 ms``."""
    for unit, size in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
