"""``ringlog forget``: drop the places of named readers that will not come back."""

from __future__ import annotations

import click

import ringlog
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import json_option, print_json
from ringlog.cli.values import RING


@click.command(
    "forget",
    short_help="Drop the places of named readers that will not come back.",
    epilog=manual(
        ("ringlog forget /dev/shm/ticks billing", ""),
        ("ringlog info /dev/shm/ticks", "which names there are"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", type=RING)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
def command(path: str, names: tuple[str, ...], as_json: bool) -> None:
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
    if as_json:
        print_json({"path": path, "forgotten": list(names)})
