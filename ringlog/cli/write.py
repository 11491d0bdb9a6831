"""``ringlog write``: the lines of a file or of standard input as events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, Failure, Terminated, explain, explained
from ringlog.cli.lines import Batches, Lines, Source, wait_for_file
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, Rate, Repeat, Seconds, Size, Sync, SyncPolicy

LARGEST_READ = 256 << 10  # bytes: enough to be fast, little enough to stay in the caches
TICK = 0.001  # seconds: fast rates go out in batches this far apart


@click.command(
    "write",
    short_help="Write the lines of FILE, or of standard input, as events.",
    epilog=manual(
        ("ringlog write /dev/shm/lines", "type lines; Ctrl-D leaves"),
        ("journalctl -f | ringlog write /dev/shm/log", "each line is an event"),
        ("ringlog write /dev/shm/log access.log --follow", "as the file grows"),
        ("ringlog write /dev/shm/t words --rate 10k --end", "paced, then the end"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", type=RING)
@click.argument("file", type=click.Path(allow_dash=True), default="-")
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on as FILE grows, also when it is truncated or replaced (as tail -F does).",
)
@click.option(
    "--repeat", type=Repeat(), metavar="N", help="Write FILE N times, or for ever with 0 or inf: to try out."
)
@click.option("--rate", type=Rate(), metavar="N", help="Write N events per second, such as 10 or 20k.")
@click.option("-0", "--null", is_flag=True, help="Lines end with a NUL, not with a newline.")
@click.option("--keep-newline", is_flag=True, help="The newline is part of the event.")
@click.option(
    "-c", "--capacity", type=Size(), help="The ring's capacity if it has to be created. [default: 16M]"
)
@click.option("--end", is_flag=True, help="End the stream afterwards: readers stop after the last event.")
@click.option(
    "--timeout",
    type=Seconds(),
    help="Give up if another writer, or a lossless reader, is in the way for this long. [default: never]",
)
@click.option(
    "--sync",
    type=Sync(),
    default="none",
    show_default=True,
    help="When events are forced to disk: none (as the system likes), always (each batch), or a span.",
)
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(
    path: str,
    file: str,
    follow: bool,
    repeat: float | None,
    rate: float | None,
    null: bool,
    keep_newline: bool,
    capacity: int | None,
    end: bool,
    timeout: float | None,
    sync: SyncPolicy,
    verbose: bool,
    as_json: bool,
) -> None:
    """Write each line of FILE, or of standard input, as an event into the ring at PATH.

    The ring is created if it is not there. Lines are bytes, taken as they are without their
    newline; an empty line is an event too, and so is a last line without a newline. A line is
    published as soon as it was read; lines that were read together are published together.

    A long input shows its progress, and a summary at its end, when standard error is a terminal.
    With --follow or an endless --repeat, --end takes effect on Ctrl-C or SIGTERM.
    """
    _check(file, follow, repeat)
    endless = follow or repeat == math.inf
    if follow:
        wait_for_file(file, output.say)
    source = Source(file) if file != "-" else Source("-", output.STDIN)
    if (follow or repeat is not None) and not source.is_file:
        raise Failure(f"{source.name}: not a regular file, as --follow and --repeat need")
    total = source.size * (repeat or 1) if source.size and not endless else None
    progress = Progress(Path(source.name).name, total, wanted=not source.is_terminal)

    with explained(path), ringlog.Writer(path, capacity=capacity, timeout=timeout, sync=sync) as writer:
        room = ringlog.info(path).capacity
        lines = Lines(source.name, room, b"\0" if null else b"\n", keep_newline)
        at_once = min(LARGEST_READ, room // 8)
        if follow:
            batches = source.followed(lines, at_once, progress.notice)
        elif repeat is not None:
            batches = source.repeated(lines, at_once, repeat)
        else:
            batches = source.once(lines, at_once)
        ending = _ended_when_stopped(writer) if end and endless else nullcontext()
        try:
            with closing(progress), ending:
                publish = _Publisher(path, writer, progress, 0 if keep_newline else 1)
                publish.all(batches if rate is None else _paced(batches, rate))
        finally:
            if as_json:
                output.print_json({"path": path, **progress.figures()})
        if end:
            writer.end()
    if verbose or progress.was_shown:
        output.say(f"{path}: {progress.summary()}")


def _check(file: str, follow: bool, repeat: float | None) -> None:
    if follow and repeat is not None:
        raise click.UsageError("--follow and --repeat exclude each other")
    if file == "-" and (follow or repeat is not None):
        raise click.UsageError("--follow and --repeat need a FILE")


class _Publisher:
    def __init__(self, path: str, writer: ringlog.Writer, progress: Progress, cut: int) -> None:
        self._path = path
        self._writer = writer
        self._progress = progress
        self._cut = cut  # bytes of the input that each event left behind: its newline

    def all(self, batches: Batches) -> None:
        for batch in batches:
            try:
                self._writer.append_many(batch)
            except (ringlog.RingFull, ringlog.WriterBusy) as error:
                failure = explain(self._path, error)
                so_far = f"{self._progress.events} events were published before"
                raise Failure(f"{failure}; {so_far}", failure.code) from error
            self._progress.update(len(batch), sum(map(len, batch)) + self._cut * len(batch))


def _paced(batches: Batches, rate: float) -> Batches:
    """The same events, ``rate`` of them a second; no hurry to catch up after a standstill."""
    due = time.monotonic()
    for batch in batches:
        first = 0
        while first < len(batch):
            now = time.monotonic()
            if now < due:
                time.sleep(max(TICK, due - now))
                now = time.monotonic()
            if now - due > 1.0:
                due = now
            last = min(len(batch), first + 1 + int((now - due) * rate))
            yield batch[first:last]
            due += (last - first) / rate
            first = last


@contextmanager
def _ended_when_stopped(writer: ringlog.Writer) -> Iterator[None]:
    """For input without an end of its own: being told to stop is the end."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        writer.end()
        raise
