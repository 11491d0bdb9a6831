"""Tables of the benchmarks of logs, and of logging."""

from __future__ import annotations

from bench.report import words
from bench.report.records import Record

Table = tuple[list[str], list[list[str]]]
VERBS = ("append", "scan", "seek", "record", "replay")


def log(record: Record) -> Table:
    """A row a contestant; for each size what it does a second."""
    sizes = list(dict.fromkeys(row["size"] for row in record["rows"]))
    cells: dict[str, dict[int, Record]] = {}
    for row in record["rows"]:
        cells.setdefault(row["method"], {})[row["size"]] = row["rates"]
    head = ["events/s", *(f"{verb}, {words.size(size)}" for size in sizes for verb in VERBS)]
    return head, [
        [
            name,
            *(
                words.count(rates[size][verb]["median"]) if verb in rates.get(size, {}) else "-"
                for size in sizes
                for verb in VERBS
            ),
        ]
        for name, rates in cells.items()
    ]


def log_record(record: Record) -> Table:
    head = ["64 B events", "events/s", "MB/s", "reader's ns an event", "bytes an event"]
    columns = ("rate", "megabytes", "cpu", "copied")
    small = min(row["size"] for row in record["rows"])
    rows = []
    for row in record["rows"]:
        if row["size"] != small:
            continue
        values = {key: value["median"] for key, value in row["values"].items()}
        shown = [words.count(values["rate"])]
        shown += [f"{values[key]:,.0f}" if key in values else "-" for key in columns[1:]]
        rows.append([row["method"], *shown])
    return head, rows


def log_size(record: Record) -> Table:
    head = [
        "Events of 16 B", "file", "seek by number", "by time", "first, no index", "memory allowed",
        "scan, events/s", "resident (PSS)",
    ]  # fmt: skip
    return head, [
        [
            f"{row['events']:,}",
            f"{row['bytes'] / 1e6:,.1f} MB",
            f"{row['seek']['by sequence']:.0f} µs",
            f"{row['seek']['by time']:.0f} µs",
            f"{row['seek']['no index'] / 1e3:.1f} ms",
            f"{row['limit']} MB" if row["limit"] else "-",
            words.count(row["scan"]["rate"]),
            f"{row['scan']['most']:.0f} MB",
        ]
        for row in record["rows"]
    ]


def logging(record: Record) -> Table:
    head = ["Processes", "Method", "records/s in the file", "p50", "p99", "p99.9", "slowest call"]
    rows = []
    for row in record["rows"]:
        values = {key: value["median"] for key, value in row["figures"].items()}
        rows.append(
            [
                str(row["processes"]),
                row["method"],
                words.count(values["written"]),
                *(f"{values[key]:,.0f} µs" for key in ("p50", "p99", "p99.9", "slowest")),
            ]
        )
    return head, rows
