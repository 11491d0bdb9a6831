"""``ringlog rm``: remove rings."""

from __future__ import annotations

import click

import ringlog
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.output import say
from ringlog.cli.values import RING


@click.command("rm")
@click.argument("paths", metavar="PATH...", type=RING, nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Say nothing about rings that are not there.")
def command(paths: tuple[str, ...], force: bool) -> None:
    """Remove rings: the file and its semaphore.

    Writers and readers that use a ring are told that it was removed. What is not a ring is left
    alone. Goes on after a failure and ends with the exit code of the first one.
    """
    code = ExitCode.DONE
    for path in paths:
        try:
            _remove(path, force)
        except Failure as failure:
            say(str(failure))
            code = code or failure.code
    if code:
        click.get_current_context().exit(code)


def _remove(path: str, force: bool) -> None:
    with explained(path):
        try:
            ringlog.unlink(path)
        except FileNotFoundError:
            if not force:
                raise Failure(f"{path}: no such ring", ExitCode.NO_RING) from None
