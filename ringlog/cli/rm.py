"""``ringlog rm``: remove rings."""

from __future__ import annotations

import click

import ringlog
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.manual import RING_CODES, manual
from ringlog.cli.output import json_option, print_json, say
from ringlog.cli.values import RING


@click.command(
    "rm",
    short_help="Remove rings: the file and its semaphore.",
    epilog=manual(
        ("ringlog rm /dev/shm/ticks", ""),
        ("ringlog rm --force /dev/shm/a /dev/shm/b", "gone already is no failure"),
        codes=RING_CODES,
    ),
)
@click.argument("paths", metavar="PATH...", type=RING, nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Say nothing about rings that are not there.")
@json_option
def command(paths: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Remove rings: the file and its semaphore.

    Writers and readers that use a ring are told that it was removed. What is not a ring is left
    alone. Goes on after a failure and ends with the exit code of the first one.
    """
    code = ExitCode.DONE
    removed, failures = [], []
    for path in paths:
        try:
            if _remove(path, force):
                removed.append(path)
        except Failure as failure:
            say(str(failure))
            code = code or failure.code
            failures.append({"path": path, "error": str(failure), "code": int(failure.code)})
    if as_json:
        print_json({"removed": removed, "failures": failures})
    if code:
        click.get_current_context().exit(code)


def _remove(path: str, force: bool) -> bool:
    """False: there was none."""
    with explained(path):
        try:
            ringlog.unlink(path)
        except FileNotFoundError:
            if not force:
                raise Failure(f"{path}: no such ring", ExitCode.NO_RING) from None
            return False
    return True
