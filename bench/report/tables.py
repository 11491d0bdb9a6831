"""Which tables there are, of which record, with which columns; used by the README and by the page."""

from __future__ import annotations

from collections.abc import Callable

from bench.report import bridge_tables, log_tables, words
from bench.report.records import Record, best_of_each, is_ours, middle

Table = tuple[list[str], list[list[str]]]


def seed(record: Record) -> Table:
    rows = {name: row for name, row in record["rows"].items() if "messages_per_second" in row}
    size = record["parameters"]["size"]
    head = ["Method", "Throughput (msgs/s)", "Throughput (MB/s)", "vs Standard Sequential"]
    return head, [
        [
            name,
            f"{row['messages_per_second']['median']:,.0f}",
            f"{row['messages_per_second']['median'] * size / 1e6:,.0f}",
            f"{row['times_baseline']:.1f}x",
        ]
        for name, row in sorted(rows.items(), key=lambda pair: -pair[1]["messages_per_second"]["median"])
    ]


def one_to_one(record: Record) -> Table:
    rates = record["events_per_second"]
    base = rates["multiprocessing.Queue"]["median"]
    return ["Method", "events/s", "quartiles", "vs Queue"], [
        [name, f"{s['median']:,.0f}", f"{s['low']:,.0f} to {s['high']:,.0f}", f"{s['median'] / base:.1f}"]
        for name, s in rates.items()
    ]


def columns(record: Record) -> Table:
    rates = record["rows_per_second"]
    pairs = [
        ("`append_array`, 4,096 rows at once", "append_array", "C, rows in"),
        ("`read_batch`, all that is there", "read_batch, 65,536 at most", "C, rows out, 65,536 at most"),
        ("`read_batch`, 4,096 at most", "read_batch, 4,096 at most", "C, rows out, 4,096 at most"),
    ]
    return ["", "in one process", "a C loop beside it"], [
        [label, *(f"{rates[name]['median'] / 1e6:.0f}" for name in names)]
        for label, *names in pairs
        if all(name in rates for name in names)
    ]


def frames(record: Record) -> Table:
    single, stream = record["microseconds_one_at_a_time"], record["frames_per_second"]

    def name(key: str) -> str:
        key = key.replace("verify off", "`verify=False`")
        return f"multiprocessing.{key}" if key.startswith("shared_memory") else key

    return ["Method", "µs", "frames/s in a row"], [
        [name(key), f"{s['median']:,.0f}", f"{stream[key]['median']:,.0f}"]
        for key, s in sorted(single.items(), key=lambda pair: pair[1]["median"])
    ]


def async_readers(record: Record) -> Table:
    head = ["Ten readers", "idle, % of a core", "wake-up p50, µs", "p99", "the last of the ten, p50"]
    return head, [
        [
            name,
            f"{s['idle']['median']:.2f}",
            *(f"{s[what]['median']:,.0f}" for what in ("p50", "p99", "last")),
        ]
        for name, s in record["figures"].items()
    ]


def floor(record: Record) -> Table:
    spreads = record["ns_per_event"]
    single = spreads["C, an event at a time"]["median"]
    return ["Method", "ns an event", "quartiles", "of the C rate"], [
        [name, f"{s['median']:.1f}", f"{s['low']:.1f} to {s['high']:.1f}", f"{single / s['median']:.2f}"]
        for name, s in spreads.items()
    ]


PLACES = ((64, 1), (1024, 1), (64 << 10, 1), (64, 4))  # size, readers


def peers(record: Record) -> Table:
    cells = {place: {c.contestant: c for c in best_of_each(record["rows"], *place)} for place in PLACES}
    names: dict[str, set[str]] = {}
    for place in PLACES:
        for contestant, cell in cells[place].items():
            names.setdefault(contestant, set()).add(cell.name)
    head = ["messages/s a reader", *(f"1 to {n}, {words.size(size)}" for size, n in PLACES)]

    def cell_of(contestant: str, place: tuple[int, int]) -> str:
        cell = cells[place].get(contestant)
        if cell is None:
            return "-"
        return words.count(cell.value) + (f" (lost {words.part(cell.lost)})" if cell.lost else "")

    return head, [
        [idioms.pop() if len(idioms) == 1 else contestant, *(cell_of(contestant, place) for place in PLACES)]
        for contestant, idioms in names.items()
    ]


def rates_of(rows: list[Record]) -> list[int]:
    return sorted({row["rate"] for row in rows if isinstance(row.get("rate"), (int, float))})


def usual_rate(rows: list[Record]) -> int | None:
    """The rate that stands for all in a short table: 10,000 a second, or the next one that there is."""
    rates = rates_of(rows)
    return min(rates, key=lambda rate: abs(rate - 10_000)) if rates else None


def latency_lines(rows: list[Record]) -> list[list[str]]:
    """Spinning rows before sleeping ones, the quickest first; a row with nothing to show has its note."""
    lines = []
    order = sorted(
        rows, key=lambda row: (row.get("waits") != "spins", middle(row.get("p50")) or float("inf"))
    )
    for row in order:
        figures = [middle(row.get(name)) for name in ("p50", "p99", "p999", "p9999")]
        if figures[0] is None:
            continue
        cpu = [middle(row.get(name)) for name in ("reader_cpu", "sender_cpu")]
        sent = (middle(row.get("sent")) or 0) * (middle(row.get("readers")) or 1)
        lost = middle(row.get("lost")) or 0
        lines.append(
            [
                str(row.get("peer", "?")),
                str(row.get("waits", "")),
                *("-" if each is None else words.duration(each) for each in figures),
                words.part(lost / sent) if sent else words.count(lost),
                *("-" if each is None else f"{each:.2f}" for each in cpu),
            ]
        )
    return lines


LATENCY = ["One way", "reader", "p50", "p99", "p99.9", "p99.99", "lost", "reader's core", "sender's core"]


def latency(record: Record) -> Table:
    rate = usual_rate(record["rows"])
    head = [f"One way, at {rate:,}/s" if rate else LATENCY[0], *LATENCY[1:]]
    return head, latency_lines([row for row in record["rows"] if row.get("rate") == rate])


def wake(row: Record, name: str) -> float | None:
    """A percentile of waking, which has a name of its own where others stand beside it."""
    value = middle(row.get(f"wake_{name}"))
    return middle(row.get(name)) if value is None else value


def idle(record: Record) -> Table:
    rows = [row for row in record["rows"] if middle(row.get("idle_cpu")) is not None]
    rows.sort(key=lambda row: (not is_ours(row), wake(row, "p50") or float("inf")))
    lines = []
    for row in rows:
        wakes = [wake(row, name) for name in ("p50", "p99")]
        cpu = middle(row["idle_cpu"]) or 0.0
        lines.append(
            [
                str(row.get("peer", "?")),
                str(row.get("waits", "")),
                f"{100 * cpu:.2f}",
                *("-" if each is None else words.duration(each) for each in wakes),
            ]
        )
    return ["While nothing comes", "reader", "% of a core", "wake-up p50", "p99"], lines


def series(record: Record, name: str) -> Record | None:
    return next((each for each in record.get("series", []) if each.get("name") == name), None)


def lines_of(each: Record | None) -> dict[str, dict[float, float]]:
    """The medians of a series, by line and x."""
    if each is None:
        return {}
    return {line["label"]: dict(zip(each["x"], line["median"], strict=True)) for line in each["lines"]}


def scale(record: Record) -> Table:
    rate, cost = lines_of(series(record, "readers_rate")), lines_of(series(record, "readers_producer"))
    lost = lines_of(series(record, "readers_lost"))
    labels = [label for label in rate if label.startswith("64 B")]
    head = ["Readers"]
    for label in labels:
        kind = label.split(", ")[-1]
        head += [f"{kind}: events/s each", *(["lost"] if label in lost else []), "producer's ns an event"]
    rows = []
    for n in dict.fromkeys(x for label in labels for x in rate[label]):
        cells = [f"{n:g}"]
        for label in labels:
            cells.append(words.count(rate[label][n]))
            if label in lost:
                cells.append(words.part(lost[label][n]) if n in lost[label] else "-")
            cells.append(f"{cost[label][n]:.0f}" if label in cost else "-")
        rows.append(cells)
    return head, rows


TABLES: dict[str, tuple[str, Callable[[Record], Table]]] = {
    "seed": ("seed", seed),
    "one_to_one": ("one_to_one", one_to_one),
    "columns": ("columns", columns),
    "frames": ("frames", frames),
    "async_readers": ("async_readers", async_readers),
    "floor": ("floor", floor),
    "peers": ("peers", peers),
    "latency": ("latency", latency),
    "idle": ("idle", idle),
    "scale": ("scale", scale),
    "log": ("log", log_tables.log),
    "log-limited": ("log-limited", log_tables.log),
    "log_record": ("log_record", log_tables.log_record),
    "log_size": ("log_size", log_tables.log_size),
    "logging": ("logging", log_tables.logging),
    "bridge": ("bridge", bridge_tables.throughput),
    "bridge-latency": ("bridge", bridge_tables.latency),
    "bridge-memory": ("bridge", bridge_tables.memory),
}
