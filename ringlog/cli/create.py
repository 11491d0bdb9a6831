"""``ringlog create``: make a ring."""

from __future__ import annotations

import os
from pathlib import Path

import click

import ringlog
from ringlog.cli.errors import ExitCode, Failure, explained
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import Output, json_option, print_json
from ringlog.cli.values import RING, Mode, Size, size_text

DEFAULT_CAPACITY = 16 << 20


@click.command(
    "create",
    short_help="Make a ring.",
    epilog=manual(
        ("ringlog create /dev/shm/ticks", "16 MiB, for this user only"),
        ("ringlog create /dev/shm/frames --capacity 1G", "room for large events"),
        ("ringlog create /srv/rings/ticks --mode 0640", "a group may read it"),
        ("ringlog create /dev/shm/ticks --exist-ok", "be content if it is there"),
        codes=DATA_CODES,
    ),
)
@click.argument("path", type=RING)
@click.option(
    "-c",
    "--capacity",
    type=Size(),
    help="Bytes of the newest events that the ring keeps: a power of two, at least 64K. [default: 16M]",
)
@click.option(
    "--max-readers",
    type=click.IntRange(min=1),
    metavar="N",
    default=64,
    show_default=True,
    help="Slots for lossless and named readers; lossy readers need none.",
)
@click.option(
    "--mode",
    type=Mode(),
    default="0600",
    show_default=True,
    help="The file's permissions: 0644 lets everybody read.",
)
@click.option("--exist-ok", is_flag=True, help="Be content with a ring that is there already.")
@json_option
def command(
    path: str, capacity: int | None, max_readers: int, mode: int, exist_ok: bool, as_json: bool
) -> None:
    """Make a ring at PATH and say what was made.

    All its space is allocated now, so that a full disk is noticed here and not later.
    """
    done = "created"
    wanted = DEFAULT_CAPACITY if capacity is None else capacity
    with explained(path):
        try:
            info = ringlog.create(path, wanted, max_readers=max_readers, mode=mode)
        except FileExistsError:
            if not exist_ok:
                raise
            done = "exists"
            info = ringlog.create(path, max_readers=max_readers, mode=mode, exist_ok=True)
            if capacity not in (None, info.capacity):
                raise Failure(
                    f"{path}: has a capacity of {info.capacity}, not {capacity}", ExitCode.USAGE
                ) from None
        except FileNotFoundError:
            if Path(path).parent.is_dir():
                raise Failure(f"{path}: this file system takes no new files", ExitCode.REFUSED) from None
            raise
    if as_json:
        print_json({"path": path, "done": done, "capacity": info.capacity, "stream_id": info.stream_id})
    else:
        line = f": {done}, {size_text(info.capacity)}, stream {info.stream_id}\n"
        Output().write(os.fsencode(path) + line.encode())
