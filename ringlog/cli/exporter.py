"""``ringlog exporter``: the figures of ``ringlog top`` for Prometheus."""

from __future__ import annotations

import click

from ringlog.cli import output
from ringlog.cli.errors import ExitCode, Failure, code_of
from ringlog.cli.manual import manual
from ringlog.cli.values import RING
from ringlog.observing import SHARED_MEMORY, Sampler

PORT = 9824  # beside the ports that other exporters commonly take


@click.command(
    "exporter",
    short_help="Serve the figures of rings to Prometheus.",
    epilog=manual(
        ("ringlog exporter", "every ring in /dev/shm"),
        ("ringlog exporter /dev/shm/ticks --port 9100", ""),
        ("curl -s http://127.0.0.1:9824/metrics", "to see it"),
        codes=(ExitCode.DONE, ExitCode.FAILED, ExitCode.REFUSED),
    ),
)
@click.argument("paths", metavar="[PATH...]", type=RING, nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: one that is free."
)
def command(paths: tuple[str, ...], host: str, port: int) -> None:
    """Serve the figures of rings to Prometheus.

    PATH is a ring, or a directory of them; without one, every ring in /dev/shm. They are looked at when
    somebody asks, and never else; nothing is changed. Says on standard error where it listens, and serves
    until Ctrl-C or SIGTERM. Needs the extra metrics: pip install 'ringlog[cli,metrics]'.

    Whoever can reach the address sees paths, reader names, pids and names of processes, so it is loopback
    unless --host says otherwise.

    \b
    Worth an alert:
      ringlog_reader_severity == 2             a reader holds the writer up
      ringlog_ring_unread_ratio > 0.8          the writer will wait soon
      ringlog_reader_behind_seconds > 5        a reader is late
      ringlog_writer_state{state="dead"} == 1  a writer died
      ringlog_bridge_up == 0                   a push or pull is cut off
      ringlog_bridge_lag_seconds > 5           one is late
    How much time a ring holds:
      ringlog_ring_capacity_bytes
          / rate(ringlog_ring_published_bytes_total[5m])
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server

        from ringlog.observing.prometheus import RingCollector
    except ImportError as error:
        raise Failure(
            f"the exporter needs prometheus_client: pip install 'ringlog[cli,metrics]' ({error})"
        ) from error
    registry = CollectorRegistry()
    registry.register(RingCollector(Sampler(paths or (SHARED_MEMORY,))))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise Failure(f"{host}:{port}: {(error.strerror or str(error)).lower()}", code_of(error)) from error
    try:
        shown = f"[{host}]" if ":" in host else host
        output.say(f"http://{shown}:{server.server_port}/metrics")
        thread.join()
    finally:
        server.shutdown()
        server.server_close()
