"""``ringlog bridge pull``: what a NATS server has of a ring, into a ring here."""

from __future__ import annotations

import threading
from typing import Any, Literal

import click

from ringlog.bridge.figures import Figures
from ringlog.bridge.subject import default_subject
from ringlog.cli import output
from ringlog.cli.bridge_line import BridgeLine
from ringlog.cli.bridge_local import is_default, wait_for_server
from ringlog.cli.bridge_options import (
    connection_options,
    names_a_server,
    new_stream_option,
    transport_of,
)
from ringlog.cli.bridge_run import run
from ringlog.cli.errors import ExitCode
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.values import RING, Mode, Place, Size


@click.command(
    "pull",
    short_help="Fill the ring at RING with what a NATS server has.",
    epilog=manual(
        ("ringlog bridge pull /dev/shm/ticks", "from the server on this machine"),
        ("ringlog bridge pull /dev/shm/ticks -s nats://hub:4222 --capacity 1G", ""),
        ("ringlog bridge pull /dev/shm/copy --subject ringlog.ticks", "by another name"),
        ("ringlog bridge pull /dev/shm/ticks -s nats://hub:4222 --start latest", ""),
        codes=(*DATA_CODES, ExitCode.WAITED),
        meanings={ExitCode.FAILED: "no server, or one that can't do; or another stream is there"},
    ),
)
@click.argument("ring", type=RING)
@connection_options
@click.option("-c", "--capacity", type=Size(), help="Of the ring, if it has to be created. [default: 16M]")
@click.option("--mode", type=Mode(), default="0600", show_default=True, help="Of the ring's file, then.")
@click.option("--start", type=Place(), default="oldest", help="Where to begin in a new ring. [oldest]")
@new_stream_option("the ring")
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(
    ring: str,
    capacity: int | None,
    mode: int,
    start: Literal["oldest", "latest"] | int,
    new_stream: Literal["refuse", "replace"],
    verbose: bool,
    as_json: bool,
    **connection: Any,
) -> None:
    """Fill the ring at RING, which is created if it is not there, until the stream ends.

    It becomes a ring of the same stream: the same events with the same sequences and times, each once. Goes
    on where it ends. What the server has not any more is a gap: readers of this ring are told how many events
    are missing. It waits for the lossless readers of this ring, and the server keeps what comes meanwhile,
    as long as push's --keep options say. Stop it with Ctrl-C; kill it if you like, and start it again.

    Without a server's name it is the one on this machine, which is waited for; one that was named has to be
    there. Nobody else may write to the ring.
    """
    of = transport_of(default_subject(ring), connection)

    def work(stop: threading.Event, line: BridgeLine) -> Figures:
        from ringlog.bridge import pull

        if not names_a_server(connection) and is_default(of):
            wait_for_server(stop, line.notice)
        return pull(
            ring,
            of,
            capacity=capacity,
            mode=mode,
            start=start,
            new_stream=new_stream,
            stop=stop,
            notice=line.notice,
            progress=line.update,
        )

    run(ring, work, as_json=as_json, verbose=verbose)
