"""``ringlog bridge push``: what is written to a ring, to a NATS server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Literal

import click

import ringlog
from ringlog.bridge.figures import Figures
from ringlog.bridge.subject import default_subject
from ringlog.cli import output
from ringlog.cli.bridge_line import BridgeLine
from ringlog.cli.bridge_local import is_default, let_them_finish, server_of_ours
from ringlog.cli.bridge_options import (
    connection_options,
    names_a_server,
    new_stream_option,
    transport_of,
)
from ringlog.cli.bridge_run import run
from ringlog.cli.errors import ExitCode
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.values import RING, Place, Seconds, Size


@click.command(
    "push",
    short_help="Send what is written to SOURCE to a NATS server.",
    epilog=manual(
        ("ringlog bridge push /dev/shm/ticks", "to a server on this machine"),
        ("ringlog bridge push /dev/shm/ticks -s nats://hub:4222 --keep-size 20G", ""),
        ("ringlog bridge push /dev/shm/ticks --log /var/log/ticks", "no outage is too long"),
        ("ringlog bridge push /dev/shm/ticks -s tls://hub:4222 --creds me.creds", ""),
        ("ringlog bridge push /var/log/ticks --no-follow -v", "what a log has now"),
        codes=(*DATA_CODES, ExitCode.WAITED),
        meanings={ExitCode.FAILED: "no server, or one that can't do; or another stream is there"},
    ),
)
@click.argument("source", type=RING)
@connection_options
@click.option("--log", type=RING, help="The log that the ring is recorded into.")
@click.option("--name", default="bridge", show_default=True, help="Of the reader that the ring waits for.")
@click.option("--start", type=Place(), default="oldest", help="Where to begin if nothing is there. [oldest]")
@click.option("--no-follow", is_flag=True, help="Stop after what is there now.")
@new_stream_option("what the server has")
@click.option("--keep-size", type=Size(), default="1G", show_default=True, help="How much the server keeps.")
@click.option("--keep-age", type=Seconds(), help="And how long, at most.")
@click.option(
    "--retention",
    type=click.Choice(["limits", "interest"]),
    default="limits",
    show_default=True,
    help="When there is no room: limits drops the oldest; interest waits for those who pull.",
)
@click.option("--replicas", type=click.IntRange(1, 5), default=1, show_default=True, help="Of a cluster.")
@click.option(
    "--storage",
    type=click.Choice(["file", "memory"]),
    default="file",
    show_default=True,
    help="Of the server.",
)
@click.option(
    "--message-size", type=Size(), help="How large a message may become. [1M, or what the server takes]"
)
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(
    source: str,
    log: str | None,
    name: str,
    start: Literal["oldest", "latest"] | int,
    no_follow: bool,
    new_stream: Literal["refuse", "replace"],
    keep_size: int,
    keep_age: float | None,
    retention: Literal["limits", "interest"],
    replicas: int,
    storage: Literal["file", "memory"],
    message_size: int | None,
    verbose: bool,
    as_json: bool,
    **connection: Any,
) -> None:
    """Send what is written to SOURCE, a ring or a log, to a NATS server, until the stream ends.

    Goes on where the server's copy ends, so nothing is sent twice, and what the ring still holds is not
    missed. The ring keeps what the server has not acknowledged: its writer waits for this reader once it is
    full. With --log, the log that the ring is recorded into, nobody waits: what the ring has not any more is
    taken from there. Stop it with Ctrl-C; kill it if you like, and start it again.

    Without a server's name (--server, NATS_URL, a context of the nats command) it is the one on this
    machine, at port 4222. If none runs there, one is started, and stopped again at the end; it keeps its data
    in ~/.local/state/ringlog/nats. The --keep options, --retention, --replicas and --storage are for the
    JetStream stream that is made if there is none.
    """
    to = transport_of(
        default_subject(source),
        connection,
        keep_bytes=keep_size,
        keep_age=keep_age,
        retention=retention,
        replicas=replicas,
        storage=storage,
        message_bytes=message_size,
    )

    def work(stop: threading.Event, line: BridgeLine) -> Figures:
        from ringlog.bridge import push

        os.stat(source)  # before a server is started for it
        with server_of_ours(not names_a_server(connection) and is_default(to), line.notice) as ours:
            done = push(
                source,
                to,
                log=log,
                name=name,
                start=start,
                follow=not no_follow,
                new_stream=new_stream,
                stop=_when_all_is_kept(source, stop, line) if no_follow else stop,
                notice=line.notice,
                progress=line.update,
            )
            if ours:
                let_them_finish(to, stop, line.notice)
            return done

    run(source, work, as_json=as_json, verbose=verbose)


def _when_all_is_kept(source: str, stop: threading.Event, line: BridgeLine) -> Callable[[], bool]:
    """Stop behind what a ring has now; a log's end is known to push itself."""
    head = None if os.path.isdir(source) else ringlog.info(source).event_count

    def asked() -> bool:
        figures = line.last
        done = head is not None and figures is not None and figures.sequence >= head
        return stop.is_set() or (done and figures is not None and figures.state == "running")

    return asked
