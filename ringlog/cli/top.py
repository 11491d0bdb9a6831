"""``ringlog top``: what happens in the rings of this machine, and who is behind."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, explain
from ringlog.cli.formats import iso_time
from ringlog.cli.manual import RING_CODES, manual
from ringlog.cli.top_lines import NARROWEST, SORTS, Sort, body, heading, ordered
from ringlog.cli.values import RING, Seconds
from ringlog.observing import SHARED_MEMORY, RingSample, Sample, Sampler

if TYPE_CHECKING:
    from rich.console import Console

SHORTEST = 0.1  # seconds between two looks
SOON = 0.5  # the first rates should not be long in coming
_PIPE_WIDTH = 120


@click.command(
    "top",
    short_help="Watch rings: rates, readers, and who is behind.",
    epilog=manual(
        ("ringlog top", "every ring in /dev/shm"),
        ("ringlog top /dev/shm/ticks --interval 200ms --sort lag", ""),
        ("ringlog top --once --json | jq '.rings[].readers[]?.name'", ""),
        codes=RING_CODES,
    ),
)
@click.argument("paths", metavar="[PATH...]", type=RING, nargs=-1)
@click.option("--interval", type=Seconds(), default="1", show_default=True, help="Time between two looks.")
@click.option(
    "--sort", type=click.Choice(SORTS), default=SORTS[0], show_default=True, help="What comes first."
)
@click.option("--once", is_flag=True, help="Look twice, an interval apart, print, and end.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: a line for each look, or with --once one object."
)
def command(paths: tuple[str, ...], interval: float, sort: Sort, once: bool, as_json: bool) -> None:
    """Watch rings: who writes how much, who reads, who is behind, and why.

    PATH is a ring, or a directory of them; without one, every ring in /dev/shm. Rings come and go while it
    runs. Changes nothing and holds nobody up; read permission is enough, but the processes of other users may
    not be seen.

    \b
    Of a ring:   events and bytes published in a second; unread: how much of it
                 lossless readers have not finished, at 100% the writer waits;
                 kept: how much of it holds events; how much time it holds at
                 this rate.
    Of a reader: lag: events that it has not finished; behind: how long ago
                 the first of them was published; lost: what is gone while a
                 name was away. Lossy readers leave no trace in a ring, and
                 are not seen.
    Of both:     processor time (100% is one core), and memory without what
                 is shared.

    Marked !! is a problem, which holds somebody up until a person does something; ! is worth knowing; the
    reason stands below. States are those of ringlog doctor, which has advice, and waiting: a writer that a
    reader holds up.

    \b
    Keys: q or Ctrl-C  ends            s, S   sort by the next, the previous
          up, down     a line          r      turns the order round
          PgUp, PgDn   a screen        space  holds the picture, or goes on
          Home, End    first, last

    In a pipe it prints a picture for each look. With --once its exit code tells if a PATH is no ring.
    """
    if interval < SHORTEST:
        raise click.BadParameter(f"at least {SHORTEST} s", param_hint="--interval")
    sampler = Sampler(paths or (SHARED_MEMORY,))
    if once:
        sampler.sample()
        time.sleep(interval)
        sample = sampler.sample()
        if as_json:
            output.Output().write((json.dumps(as_dict(sample, sort), indent=2) + "\n").encode())
        else:
            _show(sample, sort)
        _end_with_errors(sample)
    elif as_json or not output.is_terminal(output.STDOUT):
        _print_each(sampler, interval, sort, as_json)
    else:
        from ringlog.cli.top_live import View, watch

        watch(sampler, View(sort, interval), interval)


def as_dict(sample: Sample, sort: Sort) -> dict[str, Any]:
    """The sample as JSON has it; the names are those of `ringlog.observing`."""
    return {
        "time": iso_time(sample.time),
        "seconds": round(sample.seconds, 6),
        "rings": [_ring(ring) for ring in ordered(sample, sort)],
        "denied": list(sample.denied),
    }


def _ring(ring: RingSample) -> dict[str, Any]:
    if ring.error is not None:
        text = str(explain(ring.path, ring.error)).removeprefix(f"{ring.path}: ")
        kind = type(ring.error).__name__
        return {"path": ring.path, "severity": ring.severity, "error": text, "error_type": kind}
    fields = {name: value for name, value in vars(ring).items() if name != "error"}
    people = {
        name: [vars(one) | {"process": one.process and vars(one.process)} for one in fields[name]]
        for name in ("writers", "readers")
    }
    bridges = [vars(one) for one in ring.bridges]
    return {**fields, "severity": ring.severity, **people, "bridges": bridges}


def plain(sample: Sample, width: int, sort: Sort) -> str:
    """The picture without colours."""
    lines = [*heading(sample, width), *body(sample, width, sort)]
    return "".join(line.plain.rstrip() + "\n" for line in lines)


def _print_each(sampler: Sampler, interval: float, sort: Sort, as_json: bool) -> None:
    stdout = output.Output()
    sampler.sample()
    while True:
        time.sleep(interval)
        sample = sampler.sample()
        text = json.dumps(as_dict(sample, sort)) if as_json else plain(sample, _pipe_width(), sort)
        stdout.check()
        stdout.write(f"{text}\n".encode(errors="replace"))


def _show(sample: Sample, sort: Sort) -> None:
    if not output.is_terminal(output.STDOUT):
        output.Output().write(plain(sample, _pipe_width(), sort).encode(errors="replace"))
        return
    console = new_console()
    width = max(NARROWEST, console.width)
    for line in [*heading(sample, width), *body(sample, width, sort)]:
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def new_console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _pipe_width() -> int:
    try:
        return max(NARROWEST, int(os.environ["COLUMNS"]))
    except (KeyError, ValueError):
        return _PIPE_WIDTH


def _end_with_errors(sample: Sample) -> None:
    code = ExitCode.DONE
    for ring in sample.rings:
        if isinstance(ring.error, OSError | ringlog.RinglogError):
            failure = explain(ring.path, ring.error)
            output.say(str(failure))
            code = code or failure.code
    if code:
        click.get_current_context().exit(code)
