"""``ringlog evict``: end a process that holds a ring up and does not go on."""

from __future__ import annotations

import dataclasses
import shlex

import click

from ringlog import eviction
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.people import evidence, who
from ringlog.cli.values import RING


@click.command(
    "evict",
    short_help="Kill a stopped or stuck process that holds the ring at PATH up.",
    epilog=manual(
        ("ringlog evict /dev/shm/ticks --writer", "asks first"),
        ("ringlog evict /dev/shm/ticks --reader billing", "by name, or by pid"),
        ("ringlog evict /dev/shm/ticks --reader 4711 --yes", "without asking"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", type=RING)
@click.option("--writer", is_flag=True, help="Whoever holds the write lock.")
@click.option("--reader", metavar="NAME|PID", help="The lossless reader of this name, or of this process.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output.json_option
def command(path: str, writer: bool, reader: str | None, yes: bool, as_json: bool) -> None:
    """Kill the process that holds the write lock of the ring at PATH, or a lossless reader of it.

    For a process that lives but does not go on: stopped by a signal or a debugger, or hung. A dead one
    needs no eviction, and whether one is in order is for you to judge. Says first who it is and what tells
    so, then asks. The process is killed (SIGKILL), as nothing less is safe: it could be in the middle of an
    event and write on when it is continued. Continuing it is the gentle way: kill -CONT PID. No published
    event is lost; a named reader's place is kept.
    """
    if writer == (reader is not None):
        raise click.UsageError("exactly one of --writer and --reader is needed")
    with explained(path):
        ring = eviction.Ring(path)
        target = ring.lock_holder() if reader is None else ring.reader(reader)
        pid = target.identity.pid
        found = f"{who(target.info)}: {target.info.state}; {evidence(target.info)}"
        if as_json:
            if not yes:
                click.echo(found, err=True)  # for whoever is asked
        else:
            output.Output().write(f"{found}\n".encode())
        if not yes:
            _ask(pid, path)
        ring.evict(target)
    if as_json:
        output.print_json({"path": path, "killed": pid, "was": dataclasses.asdict(target.info)})
    else:
        output.Output().write(f"killed pid {pid}: it holds nothing up any more\n".encode())


def _ask(pid: int, path: str) -> None:
    if not output.is_terminal(output.STDIN):
        raise Failure(
            f"{shlex.quote(path)}: nothing was done: to kill pid {pid} without being asked, add --yes",
            ExitCode.USAGE,
        )
    if not click.confirm(f"Kill pid {pid} (SIGKILL)?", default=False):
        raise Failure(f"{path}: nothing was done")
