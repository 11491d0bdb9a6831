"""``ringlog export``: a log's events as JSON lines, CSV, Parquet, Arrow, or one stream file."""

from __future__ import annotations

from contextlib import closing
from typing import IO, cast

import click

from ringlog.cli import output
from ringlog.cli.errors import Failure, explained_log
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, From, Newest, Start
from ringlog.log import exchange


@click.command(
    "export",
    short_help="Write the events of LOG to FILE, in another format.",
    epilog=manual(
        ("ringlog export /var/log/ticks ticks.jsonl", "JSON lines"),
        ("ringlog export log ticks.parquet --from 1200", "with pyarrow"),
        ("ringlog export log - --format csv | less", "to standard output"),
        codes=DATA_CODES,
    ),
)
@click.argument("log", type=RING)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--format",
    "form",
    type=click.Choice(exchange.FORMATS),
    help="jsonl, csv, parquet or arrow (with pyarrow), events (one stream file). [by FILE's ending]",
)
@click.option("--from", "start", type=From(), default="oldest", help="Where to begin, as for cat. [oldest]")
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after this many events.")
@output.json_option
def command(log: str, file: str, form: str | None, start: Start, count: int | None, as_json: bool) -> None:
    """Write the events of LOG to FILE (- is standard output), with their sequences and times.

    Data that is not UTF-8 stands as base64 in JSON lines and CSV. FILE is replaced when the new one is whole:
    an export that fails leaves what was there. A stream file counts from 0, and can't hold a gap.
    """
    if isinstance(start, Newest):
        raise click.UsageError("--from takes oldest, latest, a sequence or a time here")
    if as_json and file == "-":
        raise click.UsageError("--json sums up on standard output, where the events go: give a FILE")
    if file == "-" and form == "events":
        raise click.UsageError("a stream file is written to a FILE, not to standard output")
    kind = chosen(form, file)
    progress = Progress(log, None, wanted=file != "-")
    target = file if file != "-" else cast(IO[bytes], output.OutputFile())
    try:
        with explained_log(log, file), closing(progress):
            exchange.export_log(log, target, kind, start=start, count=count, progress=progress.update)
    except ModuleNotFoundError as error:
        raise Failure(f"{kind} needs {error.name}: pip install pyarrow") from None
    if progress.was_shown:
        output.say(f"{file}: {progress.summary()}")
    if as_json:
        output.print_json({"log": log, "file": file, "format": kind, **progress.figures()})


def chosen(form: str | None, file: str) -> exchange.Format:
    """The format that was asked for, or that the file's name tells."""
    if form is not None:
        return cast("exchange.Format", form)
    if file == "-":
        raise click.UsageError("--format is needed where there is no file name to tell it")
    try:
        return exchange.format_of(file)
    except ValueError as error:
        raise click.UsageError(f"{error}; or --format") from None
