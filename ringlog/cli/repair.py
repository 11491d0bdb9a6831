"""``ringlog repair``: what recovery would do to a ring or a log, and doing it."""

from __future__ import annotations

import dataclasses
import os

import click

import ringlog
from ringlog.cli.errors import ExitCode, explained_file
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import Output, json_option, print_json
from ringlog.cli.values import RING
from ringlog.cli.verify import report_text


@click.command(
    "repair",
    short_help="Say what recovery would do to a ring or a log; with --yes do it.",
    epilog=manual(
        ("ringlog repair /dev/shm/ticks", "changes nothing"),
        ("ringlog repair /var/log/ticks --yes", "does it"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", metavar="FILE", type=RING)
@click.option("--yes", is_flag=True, help="Do it. Without this nothing is changed.")
@json_option
def command(path: str, yes: bool, as_json: bool) -> None:
    """Say what recovery would do to a ring or a log; with --yes do it.

    A writer that was killed, a restart of the machine, the torn end of a log: the next Writer that opens it
    would do the same. A ring whose lock is held by a live writer is left alone, and damage in the middle is
    reported, never touched. The exit code is 5 if something is damaged when it ends.
    """
    with explained_file(path):
        result = ringlog.repair(path, apply=yes)
    if as_json:
        found = dataclasses.asdict(result)
        found["report"]["ok"] = result.report.ok
        print_json(found)
    else:
        Output().write(_text(path, result).encode(errors="surrogateescape"))
    if not result.report.ok:
        click.get_current_context().exit(ExitCode.BAD_DATA)


def _text(path: str, result: ringlog.Repair) -> str:
    if not result.steps:
        head = "nothing that recovery would do"
    else:
        head = "done" if result.done else "to do (--yes does it)"
    steps = "".join(f"  - {step}\n" for step in result.steps)
    return f"{os.fspath(path)}: {head}\n{steps}{report_text(path, result.report)}"
