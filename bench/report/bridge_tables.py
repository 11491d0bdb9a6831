"""Tables of the benchmark of bridges."""

from __future__ import annotations

from bench.report import words
from bench.report.records import Record

Table = tuple[list[str], list[list[str]]]
BETWEEN = ("push", "server", "pull")
MOMENTS = ("before", "middle", "end", "most", "after")


def throughput(record: Record) -> Table:
    """A row a contestant and size; how many times as much the rings do stands with the others."""
    ratios: dict[tuple[int, str], list[float]] = {}
    for each in record["ratios"]:
        ratios.setdefault((each["size"], each["against"]), []).append(each["ratio"])
    sizes = list(dict.fromkeys(each["size"] for each in record["ratios"]))
    head = [
        "",
        "bytes",
        "events/s",
        "MB/s",
        *(f"{role}, ns an event" for role in BETWEEN),
        "ring to ring, by disk and by memory",
    ]
    rows = []
    for row in record["rows"]:
        if "megabytes" not in row:
            continue
        raw = row["key"] == "raw"
        asked = sizes if raw else [row["size"]]
        by = [
            " and ".join(words.figures(ratio) for ratio in ratios[size, row["way"]])
            for size in asked
            if (size, row["way"]) in ratios
        ]
        cpu = (row.get(f"{role}_cpu") for role in BETWEEN)
        rows.append(
            [
                row["way"],
                f"{row['size']:,}",
                "-" if raw else words.count(row["rate"]),
                words.figures(row["megabytes"]),
                *("-" if raw or each is None else words.count(each) for each in cpu),
                f"{', '.join(by)} times" if by else "-",
            ]
        )
    return head, rows


def latency(record: Record) -> Table:
    head = ["64 bytes", "events/s", "p50", "p99", "p99.9", "the sender is late, p50"]
    return head, [
        [
            row["way"],
            f"{row['rate']:,}",
            *(
                words.duration(row[name]) if row.get(name) is not None else "-"
                for name in ("p50", "p99", "p999", "late_p50")
            ),
        ]
        for row in record["latency"]
        if "p50" in row
    ]


def memory(record: Record) -> Table:
    head = ["Stopped", "process", *(f"{moment}, MB" for moment in MOMENTS), "came meanwhile, MB"]
    return head, [
        [
            row["stopped"],
            row["process"],
            *(f"{row['pss'][moment]:.0f}" for moment in MOMENTS),
            f"{row['came meanwhile']:,.0f}",
        ]
        for row in record["memory"]
        if "pss" in row
    ]
