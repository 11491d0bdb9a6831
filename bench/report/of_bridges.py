"""The page's section about rings beyond one machine: tables."""

from __future__ import annotations

from bench.report import bridge_tables
from bench.report.records import Record
from bench.report.records import bars as bars_of
from bench.report.section import Section


def bridge(record: Record) -> Section:
    made = record["parameters"]
    size, rate = made["bytes and rate while stopped"]
    return Section(
        "bridge",
        "From ring to ring over NATS",
        "All on one machine, over loopback: sender, push, a nats-server with JetStream on a disk, pull and "
        "a reader, each a process, sharing its cores. Beside that, single events by nats-py, kept by nobody "
        "or by JetStream; and what the server carries alone, in messages as large as push's, from plain "
        "sockets. Then the time from when an event was due to when it was read, at fixed rates; and memory "
        "(PSS, mapped rings included) while pull, or the copy's reader, is stopped for "
        f"{made['stopped']:g} s and a writer goes on with {rate:,} events of {size:,} bytes a second.",
        [],
        [
            ("At full speed", bridge_tables.throughput(record)),
            ("From when it was due", bridge_tables.latency(record)),
            ("While somebody is stopped", bridge_tables.memory(record)),
        ],
        bars_of(record),
    )
