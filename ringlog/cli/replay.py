"""``ringlog replay``: a log's events into a ring, at their own pace or another."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, Failure, explain_log, explained, explained_log
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, From, Newest, Seconds, Size, Speed, Start
from ringlog.log.replaying import replay
from ringlog.log.segments import files_of


@click.command(
    "replay",
    short_help="Publish the events of LOG again, into the ring at PATH.",
    epilog=manual(
        ("ringlog replay /var/log/ticks /dev/shm/ticks", "as fast as it was"),
        ("ringlog replay log /dev/shm/again --speed 10", "ten times as fast"),
        ("ringlog replay log /dev/shm/again --speed max --end", "for a test"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("log", type=RING)
@click.argument("path", type=RING)
@click.option(
    "--speed",
    type=Speed(),
    default="1",
    show_default=True,
    help="1: as far apart as they were. 10: ten times as fast. max: as fast as the ring takes them.",
)
@click.option("--from", "start", type=From(), default="oldest", help="Where to begin, as for tail. [oldest]")
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after this many events.")
@click.option("--keep-times", is_flag=True, help="With the times that they had, instead of now.")
@click.option("-c", "--capacity", type=Size(), help="Of the ring, if it has to be created. [default: 16M]")
@click.option("--end", is_flag=True, help="End the stream afterwards: readers stop after the last event.")
@click.option("--timeout", type=Seconds(), help="Give up if somebody is in the way for this long.")
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(
    log: str,
    path: str,
    speed: float,
    start: Start,
    count: int | None,
    keep_times: bool,
    capacity: int | None,
    end: bool,
    timeout: float | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Publish the events of LOG again, in the ring at PATH, which is created if it is not there.

    The ring's readers see them as new events: with sequences of the ring's own, and the time of now unless
    --keep-times is given.
    """
    if isinstance(start, Newest):
        raise click.UsageError("--from takes oldest, latest, a sequence or a time here")
    with explained_log(log), ringlog.LogReader(log, start=start):  # before a ring is made for it
        total = sum(os.stat(file.path).st_size for file in files_of(log).now())
    progress = Progress(log, total if count is None and start == "oldest" else None, wanted=True)
    with explained(path), ringlog.Writer(path, capacity=capacity, timeout=timeout) as writer:
        with closing(progress), _damage_named(log):
            done = replay(
                log,
                writer,
                speed=None if math.isinf(speed) else speed,
                start=start,
                count=count,
                keep_times=keep_times,
                progress=progress.update,
            )
        if end:
            writer.end()
    if done.missing:
        output.say(f"{log}: {done.missing:,} events are missing in between")
    if verbose or progress.was_shown:
        output.say(f"{path}: {progress.summary()}")
    if as_json:
        figures = {**progress.figures(), "events": done.events, "missing": done.missing}
        output.print_json({"log": log, "path": path, **figures})
    if count is not None and done.events < count:
        raise Failure(f"{log}: only {done.events} of {count} events were there")


@contextmanager
def _damage_named(log: str) -> Iterator[None]:
    """Damage that is found on the way is the log's: the ring is open and whole."""
    try:
        yield
    except (ringlog.CorruptStream, ringlog.StreamTruncated) as error:
        raise explain_log(log, error) from error
