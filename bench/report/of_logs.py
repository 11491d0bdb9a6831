"""The page's sections about logs, and about logging: tables."""

from __future__ import annotations

from bench.report import log_tables
from bench.report.records import Record
from bench.report.section import Section


def log(record: Record) -> Section:
    return Section(
        "log",
        "Events on disk",
        f"{record['parameters']['megabytes']} MB of events appended, read in order, found by their number, "
        "recorded from a ring and replayed into one. Nothing is synced. The first row differs from the "
        "second in its appends, an event a call.",
        [],
        [("A second", log_tables.log(record))],
    )


def limited(record: Record) -> Section:
    made = record["parameters"]
    return Section(
        "log-limited",
        "Events on disk, more than memory holds",
        f"The same with {made['megabytes']} MB of data, by processes that have {made['limit']} MB of memory, "
        "page cache included.",
        [],
        [("A second", log_tables.log(record))],
    )


def record(record: Record) -> Section:
    return Section(
        "log_record",
        "Does a recorder keep up?",
        "A writer at full speed, a thousand events a call, with one lossless reader: one that counts, or one "
        "that records. Beside that, the same bytes by plain write().",
        [],
        [("64 bytes an event", log_tables.log_record(record))],
    )


def size(record: Record) -> Section:
    return Section(
        "log_size",
        "As a log grows",
        "Seeks at random over the whole log, each with the read of the event; and a scan by a process that "
        "has a fourth of the log as memory.",
        [],
        [("Seeks and scans", log_tables.log_size(record))],
    )


def logging(record: Record) -> Section:
    return Section(
        "logging",
        "Logging from many processes",
        "Records of the standard library's logging from processes into one file; then calls at "
        f"{record['parameters']['rate']:,.0f} a second in each process, by the clock of who calls.",
        [],
        [("Into one file", log_tables.logging(record))],
    )
