"""``ringlog import``: events from JSON lines, CSV, Parquet, Arrow or a stream file into a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, Failure, explain_log, explained_log
from ringlog.cli.exporting import chosen
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, Size
from ringlog.log import exchange
from ringlog.log.importing import BadFile


@click.command(
    "import",
    short_help="Append the events of FILE, in another format, to LOG.",
    epilog=manual(
        ("ringlog import ticks.jsonl /var/log/ticks", "JSON lines"),
        ("ringlog import ticks.parquet log", "with pyarrow"),
        ("zcat t.csv.gz | ringlog import - log -o csv", "from standard input"),
        codes=DATA_CODES,
    ),
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.argument("log", type=RING)
@click.option("-o", "--format", "form", type=click.Choice(exchange.FORMATS), help="Of FILE. [by its ending]")
@click.option(
    "--segment", type=Size(), default="1G", show_default=True, help="A new file when one is so large."
)
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(file: str, log: str, form: str | None, segment: int, verbose: bool, as_json: bool) -> None:
    """Append the events of FILE (- is standard input) to LOG, which is made if it is not there.

    A row has data (or data_base64; in CSV, data and its encoding), and if it likes a sequence and a timestamp
    (Unix nanoseconds): a new log begins with the first row's sequence, and gaps stay gaps.
    """
    kind = chosen(form, file)
    progress = Progress(file, None, wanted=True)
    source = file if file != "-" else _standard_input(kind)
    try:
        with explained_log(log, file), _source_named(file), closing(progress):
            exchange.import_log(source, log, kind, segment_bytes=segment, progress=progress.update)
    except ModuleNotFoundError as error:
        raise Failure(f"{kind} needs {error.name}: pip install pyarrow") from None
    if verbose or progress.was_shown:
        output.say(f"{log}: {progress.summary()}")
    if as_json:
        output.print_json({"file": file, "log": log, "format": kind, **progress.figures()})


def _standard_input(kind: exchange.Format) -> IO[bytes]:
    if kind == "events":
        raise click.UsageError("a stream file is read from a FILE, not from standard input")
    if sys.stdin is None:
        raise Failure("standard input: closed")
    return sys.stdin.buffer


@contextmanager
def _source_named(file: str) -> Iterator[None]:
    """What is wrong with what is read is told of the file, not of the log."""
    try:
        yield
    except BadFile as error:
        raise Failure(f"{file}: {error}", ExitCode.USAGE) from error
    except ringlog.RinglogError as error:  # of a stream file: its errors begin with its path
        if str(error).startswith(os.path.abspath(file)):
            raise explain_log(os.path.abspath(file), error) from error
        raise
