"""``ringlog seek``: where in a log an event is."""

from __future__ import annotations

import click

import ringlog
from ringlog.cli import formats
from ringlog.cli.errors import ExitCode, Failure, explained_log
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import Output, json_option, print_json
from ringlog.cli.values import RING, From, Newest, Start


@click.command(
    "seek",
    short_help="Say where in LOG an event is: by sequence or by time.",
    epilog=manual(
        ("ringlog seek /var/log/ticks 1200", "by sequence"),
        ("ringlog seek /var/log/ticks '5m ago' --json", "by time"),
        codes=DATA_CODES,
    ),
)
@click.argument("log", type=RING)
@click.argument("where", type=From())
@json_option
def command(log: str, where: Start, as_json: bool) -> None:
    """Say in which file of LOG, and where in it, the event WHERE is.

    WHERE is a sequence, a time (ISO 8601, or a time ago such as 5m ago), oldest or latest. Of a time it is
    the first event not before it.
    """
    if isinstance(where, Newest):
        raise click.UsageError("WHERE is a sequence, a time, oldest or latest")
    with explained_log(log), ringlog.LogReader(log, start=where) as reader:
        file, position, sequence = reader.file, reader.position, reader.sequence
        try:
            event: ringlog.Event | None = reader.read(0)
        except ringlog.StreamEnded:
            event = None
        except ringlog.Overrun as missing:
            raise Failure(f"{log}: {missing}", ExitCode.FAILED) from None
        if event is not None:  # at the end of a file it is the next file's first
            file, position, sequence = reader.file, reader.position - 16 - len(event.data), event.sequence
    found = {"file": file, "position": position, "sequence": sequence}
    if event is not None:
        found |= {
            "timestamp": event.timestamp,
            "time": formats.iso_time(event.timestamp),
            "size": len(event.data),
        }
    if as_json:
        print_json(found)
    else:
        what = (
            f"{found['time']}, {found['size']} bytes"
            if event is not None
            else "the next event, not written yet"
        )
        Output().write(f"{file}: position {position}, sequence {sequence}, {what}\n".encode())
