"""``ringlog cat``: print the events of a log."""

from __future__ import annotations

import math

import click

import ringlog
from ringlog.cli import formats
from ringlog.cli.errors import explained_log
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import STDOUT, Output, has_colours, say
from ringlog.cli.values import RING, From, Newest, Start

AT_ONCE = 1024
LOOK_AROUND = 0.5  # seconds between looks at whether anybody still reads our output


@click.command(
    "cat",
    short_help="Print the events of LOG.",
    epilog=manual(
        ("ringlog cat /var/log/ticks", "all of it"),
        ("ringlog cat log --from 2026-01-31T09:30 -n 10", "ten from then on"),
        ("ringlog cat log --json --follow", "as JSON, as it grows"),
        codes=DATA_CODES,
    ),
)
@click.argument("log", type=RING)
@click.option(
    "-o",
    "--format",
    "style",
    type=click.Choice(["raw", "json", "hex"]),
    default="raw",
    show_default=True,
    help="raw: the data and a newline. json: one object a line. hex: as hexdump -C.",
)
@click.option("--json", "as_json", is_flag=True, help="As --format json.")
@click.option("-0", "--print0", is_flag=True, help="Raw: end each event with a NUL, not a newline.")
@click.option(
    "--from",
    "start",
    type=From(),
    default="oldest",
    help="Where to begin: oldest, latest, a sequence, -N (the newest N), a time, or a time ago. [oldest]",
)
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after this many events.")
@click.option("-f", "--follow", is_flag=True, help="Go on as events are written.")
@click.option("--no-verify", is_flag=True, help="Do not check the events' checksums.")
def command(
    log: str,
    style: str,
    as_json: bool,
    print0: bool,
    start: Start,
    count: int | None,
    follow: bool,
    no_verify: bool,
) -> None:
    """Print the events of LOG, a directory of files or one file, from the oldest on.

    Events that are not there (removed by retention, or never recorded) are told on standard error.
    """
    if as_json or style == "json":
        form: formats.Format = formats.as_json
    elif style == "hex":
        form = formats.hex_dump(has_colours(STDOUT))
    else:
        form = formats.raw(b"\0" if print0 else b"\n")
    out, left = Output(), math.inf if count is None else count
    with explained_log(log), _open(log, start, follow=follow, verify=not no_verify) as reader:
        while left > 0:
            try:
                events = reader.read_many(int(min(AT_ONCE, left)), LOOK_AROUND if follow else 0.0)
            except ringlog.StreamEnded:
                return
            except ringlog.Overrun as missing:
                say(f"{log}: {missing}")
                continue
            if events:
                out.write(form(events))
                left -= len(events)
            else:
                out.check()


def _open(log: str, start: Start, *, follow: bool, verify: bool) -> ringlog.LogReader:
    if not isinstance(start, Newest):
        return ringlog.LogReader(log, start=start, follow=follow, verify=verify)
    reader = ringlog.LogReader(log, start="latest", follow=follow, verify=verify)
    reader.seek(max(reader.oldest, reader.sequence - start.events))
    return reader
