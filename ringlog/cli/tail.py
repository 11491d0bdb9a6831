"""``ringlog tail``: print the events of a ring."""

from __future__ import annotations

import math
import time
from typing import Literal

import click

import ringlog
from ringlog.cli import formats
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import STDOUT, Output, has_colours, say
from ringlog.cli.values import RING, From, Newest, Seconds, Start

AT_ONCE = 1024  # events read, formatted and written together
LOOK_AROUND = 0.5  # seconds between looks at whether anybody still reads our output


@click.command(
    "tail",
    short_help="Print the events of the ring at PATH, new ones as they come.",
    epilog=manual(
        ("ringlog tail /dev/shm/ticks", "from the next event on"),
        ("ringlog tail /dev/shm/ticks --from -10 --no-follow", "the newest ten"),
        ("ringlog tail /dev/shm/ticks --from -5m --json", "five minutes back, as JSON"),
        ("ringlog tail /dev/shm/jobs --name billing", "go on where it left off"),
        ("ringlog tail /dev/shm/ticks --wait 60 --count 1", "wait for the ring, too"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", type=RING)
@click.option(
    "-o",
    "--format",
    "style",
    type=click.Choice(["raw", "json", "hex", "log"]),
    default="raw",
    show_default=True,
    help="raw: the data and a newline. json: one object a line. hex: as hexdump -C. log: the log records of "
    "ringlog.logging as lines for people.",
)
@click.option("--json", "as_json", is_flag=True, help="As --format json.")
@click.option("-0", "--print0", is_flag=True, help="Raw: end each event with a NUL, not a newline.")
@click.option("--no-newline", is_flag=True, help="Raw: end events with nothing.")
@click.option(
    "--from",
    "start",
    type=From(),
    help="Where to begin: oldest, latest (the next event), a sequence, -N (the newest N), a time "
    "(ISO 8601, local unless it says otherwise), or a time ago such as -5m or '5m ago'. "
    "[default: latest; oldest with --no-follow]",
)
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after this many events.")
@click.option("--lossless", is_flag=True, help="Lose nothing: the writer waits for this reader.")
@click.option(
    "--name",
    help="Lossless, and go on where the last reader of this name left off. What was printed is finished; "
    "--from counts only for a new name.",
)
@click.option(
    "--wait",
    type=Seconds(),
    default="0",
    show_default=True,
    help="How long to wait for the ring to be there.",
)
@click.option(
    "--follow/--no-follow",
    default=True,
    help="Go on as events come (the default), or stop after those that are there now.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    help="Stop when no event came for this long; that is a failure (6) if --count was not reached.",
)
def command(
    path: str,
    style: str,
    as_json: bool,
    print0: bool,
    no_newline: bool,
    start: Start | None,
    count: int | None,
    lossless: bool,
    name: str | None,
    wait: float,
    follow: bool,
    timeout: float | None,
) -> None:
    """Print the events of the ring at PATH, the new ones as they come.

    Ends when the stream is ended, when nobody reads the output any more, or on Ctrl-C. Without
    --lossless or --name the writer never waits, and one that is faster overruns this reader: what
    was lost is told exactly on standard error and reading goes on.

    \b
    Time spans: 5, 0.5, 200ms, 2m, 1h30m.
    """
    if as_json:
        style = "json"
    if print0 and no_newline:
        raise click.UsageError("--print0 and --no-newline exclude each other")
    if style != "raw" and (print0 or no_newline):
        raise click.UsageError("--print0 and --no-newline are for --format raw")
    if style == "json":
        form: formats.Format = formats.as_json
    elif style == "hex":
        form = formats.hex_dump(has_colours(STDOUT))
    elif style == "log":
        form = formats.log_lines()
    else:
        form = formats.raw(b"\0" if print0 else b"" if no_newline else b"\n")
    if start is None:
        start = "latest" if follow else "oldest"
    if isinstance(start, Newest) and not follow:
        count = min(start.events, start.events if count is None else count)
    out = Output()
    with explained(path), _open(path, start, lossless, name, wait) as reader:
        tail = _Tail(reader, path, out, form, named=name is not None)
        if not follow:
            tail.stop_at = reader.sequence + reader.lag
        tail.run(math.inf if count is None else count, timeout)


def _open(path: str, start: Start, lossless: bool, name: str | None, wait: float) -> ringlog.Reader:
    deadline = time.monotonic() + wait
    while True:
        try:
            first = _newest(path, start.events) if isinstance(start, Newest) else start
            left = max(0.0, deadline - time.monotonic())
            return ringlog.Reader(path, start=first, lossless=lossless, name=name, open_timeout=left)
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
        except TimeoutError as error:
            if isinstance(error, ringlog.RinglogError):
                raise
            raise FileNotFoundError(2, "No such file or directory", path) from error


def _newest(path: str, events: int) -> Literal["oldest"] | int:
    info = ringlog.info(path)
    first = info.event_count - events
    return first if first > info.tail_count else "oldest"


class _Tail:
    """The loop from the reader to standard output."""

    def __init__(
        self, reader: ringlog.Reader, path: str, out: Output, form: formats.Format, named: bool
    ) -> None:
        self._reader = reader
        self._path = path
        self._out = out
        self._form = form
        self._named = named
        self.stop_at: float = math.inf  # the sequence not to go on to

    def run(self, count: float, timeout: float | None) -> None:
        """Print ``count`` events, or as many as come before the end or before ``timeout``."""
        while count > 0 and self._reader.sequence < self.stop_at:
            at_once = min(AT_ONCE, count, self.stop_at - self._reader.sequence)
            try:
                events = self._read(int(at_once), timeout)
            except ringlog.StreamEnded:
                return
            except ringlog.Overrun as overrun:
                self._warn(overrun)
                continue
            if not events:
                if math.isinf(count) or timeout is None:
                    return
                missing = f"{count} more event{'' if count == 1 else 's'}"
                raise Failure(
                    f"{self._path}: no event for {timeout:g} s, {missing} expected", ExitCode.WAITED
                )
            # Written first, finished afterwards: a named reader that is killed here sees these again.
            self._out.write(self._form(events))
            if self._named:
                self._reader.commit()
            count -= len(events)

    def _read(self, limit: int, timeout: float | None) -> list[ringlog.Event]:
        """Up to ``limit`` events as soon as there is one; none when there is nothing more."""
        if not math.isinf(self.stop_at):
            events: list[ringlog.Event] = self._reader.read_many(limit, timeout=0.0)
            return events
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            events = self._reader.read_many(limit, timeout=min(LOOK_AROUND, left))
            if events or left == 0.0:
                return events
            self._out.check()

    def _warn(self, overrun: ringlog.Overrun) -> None:
        many = f"{overrun.count} event{'' if overrun.count == 1 else 's'}"
        which = f"{overrun.first}" if overrun.count == 1 else f"{overrun.first} to {overrun.last}"
        say(f"{self._path}: overrun, lost {many}: {which}")
