"""``ringlog bridge status``: how far each push and pull is, by its own word and the server's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ringlog.bridge.boards import SeenBoard, boards_below, boards_of
from ringlog.bridge.subject import default_subject
from ringlog.cli import output
from ringlog.cli.bridge_errors import explained_bridge
from ringlog.cli.bridge_line import figures_of
from ringlog.cli.bridge_lines import body
from ringlog.cli.bridge_options import connection_options, transport_of
from ringlog.cli.errors import ExitCode, Failure
from ringlog.cli.manual import manual
from ringlog.cli.values import RING, Seconds
from ringlog.observing.sampler import SHARED_MEMORY

if TYPE_CHECKING:
    from ringlog.bridge.nats.survey import Survey

SHORTEST = 0.1  # seconds between two looks
_PIPE_WIDTH = 120


@click.command(
    "status",
    short_help="Show how far pushes and pulls are.",
    epilog=manual(
        ("ringlog bridge status", "of every ring in /dev/shm"),
        ("ringlog bridge status /dev/shm/ticks --watch 1", "again and again"),
        ("ringlog bridge status /dev/shm/ticks -s nats://hub:4222", "and the server"),
        ("ringlog bridge status --json | jq '.bridges[].lag_seconds'", ""),
        codes=(ExitCode.DONE, ExitCode.FAILED, ExitCode.NO_RING, ExitCode.REFUSED, ExitCode.BAD_DATA),
        meanings={
            ExitCode.DONE: "all are well, though there may be notes",
            ExitCode.FAILED: "a problem (!!); or a ring that was named has neither; or no server",
        },
    ),
)
@click.argument("paths", metavar="[PATH...]", type=RING, nargs=-1)
@connection_options
@click.option("--watch", type=Seconds(), metavar="SECONDS", help="Look again and again, so long apart.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; with --watch a line for each look."
)
def command(paths: tuple[str, ...], watch: float | None, as_json: bool, **connection: Any) -> None:
    """Show how far the pushes and pulls on this machine are, by what they say of themselves once a second.

    PATH is a ring, a log, or a directory of them; without one it is everything in /dev/shm. Changes nothing.
    With --server or --subject it also asks the server what it keeps, and how far each pull is, wherever it
    runs.

    \b
    States: running; connecting, disconnected; blocked (by a reader of the ring,
    or by a server that is full); suspended (by a signal); failed; killed (its
    process is gone); silent (in another container, and it says nothing more).

    LAG and BEHIND: events that are there and not passed on, and the age of the first of them. MISSING: events
    that were nowhere any more. Marked !! is a problem, which a person has to see to, ! is worth knowing.
    """
    if watch is not None and watch < SHORTEST:
        raise click.BadParameter(f"at least {SHORTEST} s", param_hint="--watch")
    for path in paths:
        if not os.path.lexists(path) and not boards_of(path):
            raise Failure(f"{path}: no such ring or log", ExitCode.NO_RING)
    look = _Look(paths, connection if _asks(connection) else None)
    if watch is None:
        look.again()
        _print(look, as_json, indent=2)
        if look.trouble:
            click.get_current_context().exit(ExitCode.FAILED)
    elif as_json or not output.is_terminal(output.STDOUT):
        stdout = output.Output()
        while True:
            look.again()
            stdout.check()
            _print(look, as_json, indent=None)
            time.sleep(watch)
    else:
        _watch(look, watch)


def _asks(connection: dict[str, Any]) -> bool:
    """Is one of these options given? Variables are there for push and pull, and don't make this one ask."""
    source = click.get_current_context().get_parameter_source
    return any(source(name) == ParameterSource.COMMANDLINE for name in connection)


class _Look:
    """What there is now."""

    def __init__(self, paths: Sequence[str], connection: dict[str, Any] | None) -> None:
        self.boards: list[SeenBoard] = []
        self.without: list[str] = []
        self.surveys: dict[str, Survey | None] = {}
        self._paths = paths
        self._connection = connection

    @property
    def trouble(self) -> bool:
        return bool(self.without) or any(board.severity == "problem" for board in self.boards)

    def again(self) -> None:
        found: dict[str, SeenBoard] = {}
        self.without = []
        for path in self._paths or (SHARED_MEMORY,):
            own = boards_of(path)
            if os.path.isdir(path) and not own:
                own = boards_below(path)
            elif not own:
                self.without.append(path)
            found |= {board.file: board for board in own}
        self.boards = sorted(found.values(), key=lambda board: (board.figures.path, board.file))
        if self._connection is not None:
            self.surveys = self._ask(self._connection)

    def _ask(self, connection: dict[str, Any]) -> dict[str, Survey | None]:
        from ringlog.bridge.nats.survey import survey

        named = connection["subject"]
        subjects = [named] if named else [_subject(board) for board in self.boards]
        subjects += [] if named else [default_subject(path) for path in self.without]
        if not subjects:
            raise click.UsageError("nothing here says which subject: name it with --subject")
        surveys: dict[str, Survey | None] = {}
        for subject in dict.fromkeys(subjects):
            transport = transport_of(subject, connection)
            with explained_bridge():
                surveys[transport.address] = survey(transport)
        return surveys

    def as_dict(self) -> dict[str, Any]:
        return {
            "bridges": [_board(board) for board in self.boards],
            "without": self.without,
            "server": [_survey(address, seen) for address, seen in self.surveys.items()],
        }


def _subject(board: SeenBoard) -> str:
    """Its last part: see the address of a transport."""
    return board.figures.address.rpartition("/")[2]


def _board(board: SeenBoard) -> dict[str, Any]:
    figures = figures_of(board.figures)
    if board.life != "alive":
        figures |= {"events_per_second": 0.0, "bytes_per_second": 0.0}
    return {
        **figures,
        "state": board.state,
        "up": board.up,
        "severity": board.severity,
        "why": board.why,
        "age": round(board.age, 3),
    }


def _survey(address: str, seen: Survey | None) -> dict[str, Any]:
    if seen is None:
        return {"address": address, "stream": None}
    ends = {
        name: header
        and {
            "stream": header.stream.ring_id,
            "sequence": header.sequence,
            "next": header.next,
            "time": header.time,
        }
        for name, header in (("oldest", seen.oldest), ("newest", seen.newest))
    }
    return {**vars(seen), **ends, "consumers": [vars(one) for one in seen.consumers]}


def _print(look: _Look, as_json: bool, indent: int | None) -> None:
    if as_json:
        text = json.dumps(look.as_dict(), indent=indent) + "\n"
    elif output.is_terminal(output.STDOUT):
        from rich.console import Console

        console = Console(highlight=False)
        for line in body(look.boards, look.without, look.surveys, console.width):
            console.print(line, soft_wrap=True)
        return
    else:
        lines = body(look.boards, look.without, look.surveys, _PIPE_WIDTH)
        text = "".join(line.plain.rstrip() + "\n" for line in lines)
    output.Output().write(text.encode(errors="replace"))


def _watch(look: _Look, seconds: float) -> None:
    from rich.console import Console, Group
    from rich.live import Live

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            look.again()
            lines = body(look.boards, look.without, look.surveys, console.width)
            live.update(Group(*lines), refresh=True)
            time.sleep(seconds)
