"""The sections about ringlog beside its peers: throughput, latency, idleness."""

from __future__ import annotations

from bench.report import tables, words
from bench.report.records import Record, bars, best_of_each, is_ours, middle, notes
from bench.report.section import COST, Cell, Dots, Line, Lines, Plot, Section, share


def peers(record: Record) -> Section:
    rows = record.get("rows", [])
    sizes = sorted({row["size"] for row in rows if "size" in row})
    counts = sorted({row["readers"] for row in rows if "readers" in row})
    plots = []
    for n in counts:
        panels = [
            Dots(
                f"messages of {words.size(size)}", "messages/s a reader, log scale", cells, words.count, COST
            )
            for size in sizes
            if (cells := best_of_each(rows, size, n))
        ]
        if panels:
            told = times(record, sizes[0], n)
            to = "one reader" if n == 1 else f"each of {n} readers"
            title = f"To {to}: {told} {words.size(sizes[0])} messages as the best peer, one at a time"
            plots.append(Plot(f"peers-{n}", title if told else f"Throughput to {to}", panels))
    growth = [panel for size in sizes[:4] if (panel := by_readers(rows, size, counts))]
    grows = growth and len(counts) > 1
    growth_plots = (
        [Plot("peers-readers", "What each reader gets as more of them listen", growth)] if grows else []
    )
    return Section(
        "peers",
        "Against its peers",
        "One sender, N readers, a process each. Every message is counted and compared with what it must "
        "be, from the first send to the last check of all readers. A hollow dot is a contestant that lost "
        "messages: what it lost stands beside it, with the processor time of sender and reader for each "
        "message sent. Of each peer the idiom that was fastest there; the thick line is the middle half "
        "of the rounds.",
        plots[:1] + growth_plots,
        [("Messages a second that reach each reader", tables.peers(record)), ("Every row", every(rows))],
        bars(record),
        [f"{name}: {note}" for name, note in notes(rows).items()],
        plots[1:],
    )


def times(record: Record, size: int, readers: int) -> str:
    """Ours against theirs, one at a time and with checksums: lists and arrays are another matter."""
    cells = best_of_each([row for row in record["rows"] if singly(row)], size, readers)
    return share([cell for cell in cells if cell.ours], [cell for cell in cells if not cell.ours])


def singly(row: Record) -> bool:
    name = str(row.get("peer", ""))
    one = not any(word in name for word in ("many", "array", "batch", "list"))
    return bool(row.get("together", 1 if one else 2) == 1) and "verify=False" not in name


def by_readers(rows: list[Record], size: int, counts: list[int]) -> Lines | None:
    found: dict[str, list[tuple[int, Cell]]] = {}
    for n in counts:
        for cell in best_of_each(rows, size, n):
            if not cell.ours or cell.name == "ringlog":
                found.setdefault(cell.contestant, []).append((n, cell))
    lines = [
        Line(name, [n for n, _ in at], [c.value for _, c in at], role="ours" if at[0][1].ours else "theirs",
             low=[(c.spread or (c.value,) * 2)[0] for _, c in at],
             high=[(c.spread or (c.value,) * 2)[1] for _, c in at],
             dashed=any(c.lost > 0.001 for _, c in at))
        for name, at in found.items()
    ]  # fmt: skip
    if not lines:
        return None
    title = f"messages of {words.size(size)} (dashed: lost some)"
    return Lines(
        title,
        "readers",
        "messages/s a reader",
        lines,
        "{:g}".format,
        words.count,
        named_at_end=True,
        ticks=counts,
    )


def every(rows: list[Record]) -> tables.Table:
    head = [
        "Method",
        "size",
        "readers",
        "messages/s a reader",
        "quartiles",
        "lost",
        "sender's ns",
        "reader's ns",
    ]
    lines = []
    for row in sorted(rows, key=lambda r: (r.get("readers", 0), r.get("size", 0), -(rate_of(r) or 0))):
        rate = rate_of(row)
        spread = row.get("events_per_second") or {}
        cpu = [middle(row.get(name)) for name in ("sender_cpu_ns", "reader_cpu_ns")]
        lines.append(
            [
                str(row.get("peer", "?")),
                words.size(row.get("size", 0)),
                str(row.get("readers", "")),
                str(row.get("note") or "-") if rate is None else f"{rate:,.0f}",
                "-" if rate is None else f"{spread.get('low', rate):,.0f} to {spread.get('high', rate):,.0f}",
                words.part(middle(row.get("lost")) or 0.0) if rate is not None else "-",
                *("-" if each is None else f"{each:,.0f}" for each in cpu),
            ]
        )
    return head, lines


def rate_of(row: Record) -> float | None:
    return middle(row.get("events_per_second"))


# ---- latency ----

NINES = {"p50": 0.5, "p90": 0.1, "p99": 0.01, "p999": 0.001, "p9999": 0.0001}
NAMED = {2.0: "p50", 10.0: "p90", 100.0: "p99", 1000.0: "p99.9", 10000.0: "p99.99"}


def latency(record: Record) -> Section:
    rows, floors = record.get("rows", []), record.get("floors", [])
    plots, told = [], []
    for waits in ("spins", "sleeps"):
        panels = []
        for rate in tables.rates_of(rows):
            at = [row for row in rows if row.get("rate") == rate and row.get("waits", "spins") == waits]
            floor = [
                row for row in floors if row.get("rate") == rate and "pausing" not in str(row.get("peer"))
            ]
            lines = [curve(row) for row in [*at, *(floor if waits == "spins" else [])] if "p50" in row]
            if lines:
                panels.append(
                    Lines(
                        f"{rate:,} messages/s",
                        "share of the messages that were this fast",
                        "one way, log scale",
                        lines,
                        lambda x: NAMED[x],
                        words.duration,
                        named_at_end=True,
                        ticks=list(NAMED),
                    )
                )
        if panels:
            title = f"To a reader that {waits}{best(rows, waits)}"
            plots.append(Plot(f"latency-{waits}", title, panels))
    for rate in tables.rates_of(rows):
        at = [row for row in rows if row.get("rate") == rate]
        told.append((f"At {rate:,} messages a second", (tables.LATENCY, tables.latency_lines(at))))
    if floors:
        told.append(("Floors", floor_table(floors)))
    return Section(
        "latency",
        "How long a message is on its way",
        "From the moment when a message was due, by a fixed timetable, to the moment when the reader's "
        "Python code has it: a sender that is held up makes its messages late, and that counts. "
        "Percentiles of all messages of a run, the median of the rounds. Further right are the rarer, "
        "slower ones; dashed lost some. The tables say which part of a core the reader and the sender "
        "burn for it.",
        plots,
        told,
        bars(record),
        [f"{name}: {note}" for name, note in notes(rows).items()],
    )


def best(rows: list[Record], waits: str) -> str:
    """The medians of the best of ours and of theirs at the usual rate."""
    rate = tables.usual_rate(rows)
    at = [row for row in rows if (row.get("rate"), row.get("waits", "spins")) == (rate, waits)]
    sides = [
        [p50 for r in at if is_ours(r) is ours and (p50 := middle(r.get("p50")))] for ours in (True, False)
    ]
    if not all(sides):
        return ""
    ours, theirs = (words.duration(min(side)) for side in sides)
    return f": half within {ours}, the best peer's within {theirs}, at {rate:,} a second"


def curve(row: Record) -> Line:
    points = [
        (1 / part, value) for name, part in NINES.items() if (value := middle(row.get(name))) is not None
    ]
    role = "ours" if is_ours(row) else "third" if row.get("kind") == "floor" else "theirs"
    lost = (middle(row.get("lost")) or 0) > 0
    return Line(
        str(row.get("peer", "?")), [x for x, _ in points], [y for _, y in points], role=role, dashed=lost
    )


def floor_table(floors: list[Record]) -> tables.Table:
    lines = [
        [str(row.get("peer", "?")), f"{row['rate']:,}" if row.get("rate") else "-"]
        + [
            "-" if (v := middle(row.get(name))) is None else words.duration(v)
            for name in ("p50", "p99", "p999")
        ]
        for row in floors
    ]
    return ["What nobody can beat", "messages/s", "p50", "p99", "p99.9"], lines


def idle(record: Record) -> Section:
    rows = [row for row in record.get("rows", []) if middle(row.get("idle_cpu")) is not None]
    cells = [
        Cell(str(row.get("peer", "?")), is_ours(row), 100 * (middle(row["idle_cpu"]) or 0), row=row)
        for row in rows
    ]
    wakes = [
        Cell(str(row.get("peer", "?")), is_ours(row), value, row=row)
        for row in rows
        if (value := tables.wake(row, "p50")) is not None
    ]

    def slowest(cell: Cell) -> str:
        return "" if (slow := tables.wake(cell.row, "p99")) is None else words.duration(slow)

    panels = [
        Dots("While nothing comes", "% of a core, log scale", sorted(cells, key=lambda c: c.value),
             lambda value: f"{value:.2g} %" if value < 10 else f"{value:.0f} %"),
        Dots("When something comes", "to wake, median, log scale", sorted(wakes, key=lambda c: c.value),
             words.duration, (("p99", slowest),)),
    ]  # fmt: skip
    ours = [cell for cell in cells if cell.ours and cell.row.get("waits") != "spins"]
    title = "What waiting costs, and how fast it ends"
    if ours:
        least, most = (edge(cell.value for cell in ours) for edge in (min, max))
        title = f"ringlog asleep takes {least:.2g} to {most:.2g} % of a core"
    return Section(
        "idle",
        "Waiting",
        "The processor time of a reader to which nothing comes, in per cent of a core, and the time from "
        "a message's being sent to a reader that has long been waiting until its Python code has it. A "
        "reader that spins wakes soonest and burns a whole core, so the two belong together.",
        [Plot("idle", title, [panel for panel in panels if panel.cells])] if cells else [],
        [("Both together", tables.idle(record))],
        bars(record),
        [f"{name}: {note}" for name, note in notes(record.get("rows", [])).items()],
    )
