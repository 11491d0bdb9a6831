"""``ringlog forget``: drop the places of named readers that will not come back."""

from __future__ import annotations

import click

import ringlog
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.values import RING


@click.command("forget")
@click.argument("path", type=RING)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def command(path: str, names: tuple[str, ...]) -> None:
    """Drop the places that named readers of the ring at PATH have kept.

    For names whose readers are gone and will not come back: each holds a slot of the ring, and its next
    reader would be told of a loss. A name that is in use is left alone.
    """
    for name in names:
        with explained(path):
            try:
                ringlog.forget(path, name)
            except KeyError:
                raise Failure(f"{path}: no reader named {name!r}", ExitCode.NO_RING) from None
