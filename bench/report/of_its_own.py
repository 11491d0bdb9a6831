"""The sections about ringlog by itself, or beside what needs no installation: growth, files, floors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.report import tables, words
from bench.report.drawing import Format
from bench.report.records import Bar, Cell, Record
from bench.report.section import Dots, Line, Lines, Plot, Section, duration_us, share

# ---- scale ----

SCALES = {
    "readers": ("More readers", "readers_rate", "readers_producer", "readers_lost"),
    "ring": ("A larger ring", "ring_rate", "ring_producer"),
    "size": ("Larger events; checked or not, copied or looked at in place", "size_rate", "size_producer"),
    "pages": ("Huge pages and small ones", "pages_rate", "pages_producer"),
}


def scale(record: Record) -> Section:
    plots, told = [], []
    caches = record.get("parameters", {}).get("caches", {})
    for name, (title, *names) in SCALES.items():
        found = [each for each in (tables.series(record, one) for one in names) if each is not None]
        panels = [panel(each, caches) for each in found]
        if panels:
            plots.append(Plot(f"scale-{name}", seen(name, record) or title, panels))
        told += [(each["question"], series_table(each)) for each in found]
    if (had := tables.series(record, "pages_had")) is not None:
        told.append((had["question"], series_table(had)))
    pages = record.get("parameters", {}).get("huge_pages", "")
    return Section(
        "scale",
        "How the cost grows",
        "One factor at a time; the rest is a ring of 16 MiB, one lossless reader, and events of 64 B and "
        "1 KiB, an append at a time on one side and iteration on the other. What each reader gets (the "
        "producer alone, where nobody reads), and the processor time that an event costs the producer; "
        "bands are the middle half of the rounds. With more readers than cores they share these.",
        plots,
        told,
        remarks=[f"Huge pages: {pages}"] if pages not in ("", "measured") else [],
    )


def seen(name: str, record: Record) -> str:
    """What a plot shows, in one sentence; nothing where a figure for it is missing."""
    cost, rate = (tables.lines_of(tables.series(record, f"{name}_{what}")) for what in ("producer", "rate"))
    try:
        if name == "readers":
            line = cost["64 B, lossless"]
            most = max(line)
            alone, crowd = line[0], line[most]
            return f"A 64 B event costs its producer {alone:.0f} ns, with {most:g} readers {crowd:.0f}"
        if name == "ring":
            line = rate["1 KiB"]
            least, most = min(line), max(line)
            ends = f"{words.count(line[least])}/s in {words.size(least)}, {words.count(line[most])}/s"
            best = max(line, key=line.__getitem__)
            return f"1 KiB events go best through {words.size(best)}: {ends} in {words.size(most)}"
        if name == "size":
            line = cost["iteration, verified"]
            some = [f"{words.duration(line[x])} for {words.size(x)}" for x in (64, 32 << 10, 16 << 20)]
            return f"The producer spends {', '.join(some)}"
        most = max(rate["1 KiB, huge pages"])
        ratio = rate["1 KiB, huge pages"][most] / rate["1 KiB, 4 KiB pages"][most]
    except KeyError:
        return ""
    return f"Huge pages: {ratio:.2f} times as many 1 KiB events through {words.size(most)}"


LOOKS = (("ours", False), ("ours", True), ("second", False), ("second", True))


def panel(each: Record, caches: Mapping[str, int]) -> Lines:
    lines = []
    for place, line in enumerate(each["lines"]):
        role, dashed = LOOKS[place % 4]
        if len(each["lines"]) == 3:
            role, dashed = ("ours", "second", "third")[place], False
        elif len(each["lines"]) == 4 and "no reader" in each["lines"][2]["label"]:
            role, dashed = ("ours", "second")[place % 2], place >= 2
        elif len(each["lines"]) == 2:
            role, dashed = ("ours", "second")[place], False
        lines.append(Line(line["label"], each["x"], line["median"], line["low"], line["high"], role, dashed))
    in_bytes = "bytes" in each["x_label"]
    form: Format = words.size if in_bytes else "{:g}".format
    if 0 in each["x"]:  # a log axis has no place for nothing, so each x has the next place
        lines = [Line(ln.label, range(len(ln.x)), ln.y, ln.low, ln.high, ln.role, ln.dashed) for ln in lines]
        named = dict(enumerate(each["x"]))
        form = lambda place: words.size(named[int(place)]) if in_bytes else f"{named[int(place)]:g}"  # noqa: E731
    values = [y for line in lines for y in line.y]
    y_form = {"part lost": words.part, "events/s": words.count}.get(each["unit"], words.count)
    ticks: Any = lines[0].x
    marks = (
        [
            (float(size), f"{name} ends")
            for name, size in caches.items()
            if each["x"][0] <= size <= each["x"][-1]
        ]
        if each["x_label"] == "bytes of the ring"
        else []
    )
    return Lines(
        each["question"],
        each["x_label"],
        each["unit"],
        lines,
        form,
        y_form,
        x_log=0 not in each["x"],
        y_log=min(values) > 0 and max(values) > 12 * min(values),
        ticks=ticks,
        marks=marks,
    )


def series_table(each: Record) -> tables.Table:
    form: Format = words.size if "bytes" in each["x_label"] else "{:g}".format
    y = words.part if each["unit"].startswith("part") else words.count
    head = [f"{each['x_label']} \\ {each['unit']}", *(line["label"] for line in each["lines"])]
    return head, [
        [
            form(x) if "bytes" in each["x_label"] else f"{x:g}",
            *(y(line["median"][at]) for line in each["lines"]),
        ]
        for at, x in enumerate(each["x"])
    ]


# ---- what has only names and spreads ----


def dots(
    title: str, unit: str, spreads: Mapping[str, Any], form: Format, smallest_first: bool = False
) -> Dots:
    cells = [Cell(name, is_ringlog(name), s["median"], (s["low"], s["high"])) for name, s in spreads.items()]
    return Dots(title, unit, sorted(cells, key=lambda c: c.value if smallest_first else -c.value), form)


def is_ringlog(name: str) -> bool:
    return name.startswith(("ringlog", "append", "read_batch", "checked", "ring, push"))


def producer(record: Record) -> Section:
    panels, told, bars, said = [], [], [], []
    most = record.get("parameters", {}).get("bar")
    for each in record.get("sizes", []):
        size, spreads = words.size(each["size"]), each["ns_per_event"]
        panels.append(
            dots(f"events of {size}", "ns an event, log scale", spreads, lambda ns: f"{ns:,.0f} ns", True)
        )
        order = sorted(spreads.items(), key=lambda pair: float(pair[1]["median"]))
        rows = [
            [name, str(each.get("ways", {}).get(name, "")), f"{s['median']:,.1f}",
             f"{s['low']:,.1f} to {s['high']:,.1f}"]
            for name, s in order
        ]  # fmt: skip
        told.append((f"Events of {size}", (["Method", "sends", "ns an event", "quartiles"], rows)))
        for names, ratio in each.get("ratios", {}).items():
            asked = most if names.startswith("ringlog / ") and isinstance(most, (int, float)) else None
            bars.append(
                Bar(f"a send with no reader, {size}: {names.replace(' / ', ' against ')}", f"{ratio:.2f}",
                    f"at most {asked:g}" if asked else "", ratio <= asked if asked else None)
            )  # fmt: skip
        said += [f"{name}, {size}: {note}" for name, note in each.get("notes", {}).items() if note]
    return Section(
        "producer",
        "What sending costs while nobody reads",
        "One process sends in its fastest idiom; nanoseconds an event by the clock. What a contestant "
        "that fills up holds is taken out between bursts of sending, while the clock stands.",
        [Plot("producer", "What a send costs while nobody reads", panels)] if panels else [],
        told,
        bars,
        said,
    )


def seed(record: Record) -> Section:
    rates = {
        name: row["messages_per_second"]
        for name, row in record["rows"].items()
        if "messages_per_second" in row
    }
    said = [f"{name}: {row['unavailable']}" for name, row in record["rows"].items() if row.get("unavailable")]
    compared = [
        f"{name}: {ratio['of_medians']:.2f} times ({ratio['by_round']['low']:.2f} to"
        f" {ratio['by_round']['high']:.2f} in the middle half of the rounds)."
        for name, ratio in record.get("ratios", {}).items()
    ]
    panel = dots("", "messages/s, log scale", rates, words.count)
    return Section(
        "seed",
        "Writing a file of events",
        "10,000 messages of 1 KiB, with time stamp and checksum each, into a file in memory, by one "
        "writer; the same bytes in every row. Nobody reads.",
        [Plot("seed", "Writing 1 KiB events into a file in memory", [panel])],
        [("Messages a second", tables.seed(record))],
        remarks=compared + said,
    )  # fmt: skip


def one_to_one(record: Record) -> Section:
    panel = dots("", "events/s, log scale", record["events_per_second"], words.count)
    cells = [cell for cell in panel.cells if "many" not in cell.name]
    told = share([cell for cell in cells if cell.ours], [cell for cell in cells if not cell.ours])
    title = f"From one Python loop to another: {told} as by a Pipe or a Queue"
    return Section(
        "one_to_one",
        "One process to one other, without installing anything",
        "64-byte events, Python loops on both sides, an object an event, each checked; from the first "
        "send to the last check.",
        [Plot("one_to_one", title, [panel])],
        [("Events a second", tables.one_to_one(record))],
    )


def columns(record: Record) -> Section:
    rates = record["rows_per_second"]
    inside = {name: s for name, s in rates.items() if "to read_batch" not in name and "checked" not in name}
    across = {name: s for name, s in rates.items() if name not in inside}
    panels = [
        dots("in one process, beside C loops that do the same", "rows/s, log scale", inside, words.count),
        dots("to another process, and what looking at each costs", "rows/s, log scale", across, words.count),
    ]
    lost = [
        each["lost"]
        for each in record["samples"].get("append_array to read_batch, lossy", [])
        if "lost" in each
    ]
    said = [f"The lossy reader lost {sorted(lost)[len(lost) // 2]:.0f} % (median)."] if lost else []
    return Section(
        "columns",
        "Arrays in, columns out",
        "Rows of 64 bytes of a numpy array, each one an event with time stamp and checksum, in one call; "
        "read as columns without a further copy.",
        [Plot("columns", "Arrays and batches: an event costs nanoseconds", [p for p in panels if p.cells])],
        [("Millions of rows a second", tables.columns(record))],
        remarks=said,
    )


def frames(record: Record) -> Section:
    panels = [
        dots(
            "one at a time",
            "from array to eyes, log scale",
            record["microseconds_one_at_a_time"],
            duration_us,
            True,
        ),
        dots("in a row", "frames/s, log scale", record["frames_per_second"], words.count),
    ]
    return Section(
        "frames",
        "Camera frames",
        "A frame of 6.2 MB from a numpy array in one process to another that looks at a byte of each "
        "page. ringlog checksums each frame when it is written, and again when it is read unless the row "
        "says otherwise; shared_memory does neither.",
        [Plot("frames", "Frames of 6.2 MB from one process's array to another's eyes", panels)],
        [("Both ways of sending", tables.frames(record))],
    )


def async_readers(record: Record) -> Section:
    figures = record["figures"]
    idle, wake = ({n: f[what] for n, f in figures.items()} for what in ("idle", "p50"))
    panels = [
        dots("while nothing comes", "% of a core, log scale", idle, lambda part: f"{part:.2g} %", True),
        dots("from publishing to the coroutine, median", "log scale", wake, duration_us, True),
    ]
    return Section(
        "async_readers",
        "Ten readers in one asyncio loop",
        "Ten coroutines in one process wait for what another process publishes.",
        [Plot("async_readers", "Ten `async for` readers in one loop", panels)],
        [("Idle and waking", tables.async_readers(record))],
    )


def floor(record: Record) -> Section:
    panel = dots("", "ns an event, log scale", record["ns_per_event"], lambda ns: f"{ns:.0f} ns", True)
    spreads = record["ns_per_event"]
    ours, theirs = (spreads[name]["median"] for name in ("append", "C, an event at a time"))
    title = f"A Python loop over append takes {ours:.0f} ns an event, a C loop {theirs:.0f}"
    return Section(
        "floor",
        "The distance to bare C",
        "A Python loop beside a C loop that takes the same lock, reads the same clock, and copies, "
        "checksums and publishes the same bytes.",
        [Plot("floor", title, [panel])],
        [("Nanoseconds an event", tables.floor(record))],
    )
