"""What a comparison with peers has shown: its rows, its tables, and ringlog's ratios where a bar is set."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import method

if TYPE_CHECKING:
    from bench.against_peers import Entry

Row = dict[str, Any]

TOGETHER = ("append_many to read_many", "append_array to read_batch")
# Ringlog's idiom, bytes, readers, and how many times the best peer's rate per reader it is to reach.
BARS: tuple[tuple[str, int, int, float], ...] = (
    *(("ringlog", 64, 1, 3.0), ("ringlog", 1024, 1, 3.0), ("ringlog", 65536, 1, 1.3)),
    *(("ringlog, session", 64, 1, 3.0), ("ringlog, session", 1024, 1, 3.0)),
    ("ringlog, session", 65536, 1, 1.3),
    *(("ringlog, verify=False", 64, 1, 3.0), ("ringlog, verify=False", 1024, 1, 3.0)),
    ("ringlog, verify=False", 65536, 1, 1.3),
    *((f"ringlog, {way}", 64, 1, wanted) for way, wanted in zip(TOGETHER, (5.0, 20.0), strict=True)),
    *(("ringlog", 64, 4, 4.0), ("ringlog", 1024, 4, 4.0)),
    *(("ringlog, session", 64, 4, 4.0), ("ringlog, session", 1024, 4, 4.0)),
    *((f"ringlog, {way}", size, 4, 4.0) for way in TOGETHER for size in (64, 1024)),
)


def cell(entries: Sequence[Entry]) -> list[Row]:
    """The rows of a cell, the fastest first, those that brought nothing last."""
    return sorted(map(_row, entries), key=_rate, reverse=True)


def _row(entry: Entry) -> Row:
    peer, samples = entry.peer, entry.samples
    row: Row = {
        "peer": peer.name,
        "library": peer.library,
        "idiom": (peer.__doc__ or "").strip().splitlines()[0] if peer.__doc__ else "",
        "lossless": peer.lossless,
        "waits": peer.waits,
        "together": peer.together,
        "size": entry.size,
        "readers": entry.readers,
        "events_per_second": None,
        "lost": None,
        "sender_cpu_ns": None,
        "reader_cpu_ns": None,
        "note": entry.excuse,
        "samples": [asdict(sample) for sample in samples],
        "failures": entry.failures,
    }
    if samples:
        row["events_per_second"] = method.Spread.of([s.rate for s in samples]).record()
        row["lost"] = round(statistics.median(s.lost for s in samples), 6)
        row["sender_cpu_ns"] = round(statistics.median(s.sender_cpu for s in samples), 1)
        row["reader_cpu_ns"] = round(statistics.median(s.reader_cpu for s in samples), 1)
    if entry.failures:
        runs = len(samples) + len(entry.failures)
        row["note"] = f"{len(entry.failures)} of {runs} runs failed: {entry.failures[-1]}"
    return row


def _rate(row: Row) -> float:
    return float(row["events_per_second"]["median"]) if row["events_per_second"] else 0.0


def best_peer(rows: Sequence[Row], together: int = 1 << 30) -> Row | None:
    """The fastest of a cell that isn't ringlog, and has no more than so many events in a call."""
    others = [
        row for row in rows if row["library"] != "ringlog" and _rate(row) and row["together"] <= together
    ]
    return max(others, key=_rate, default=None)


def table(rows: Sequence[Row]) -> str:
    """One cell in Markdown, with what went wrong below it."""
    best = best_peer(rows)
    lines = []
    for row in rows:
        spread = row["events_per_second"]
        if not spread:
            continue
        lines.append(
            [
                row["peer"],
                f"{spread['median']:,.0f}",
                f"{spread['low']:,.0f} to {spread['high']:,.0f}",
                "-" if row["lossless"] else f"{100 * row['lost']:.1f}",
                f"{row['sender_cpu_ns']:,.0f}",
                f"{row['reader_cpu_ns']:,.0f}",
                f"{_rate(row) / _rate(best):.2f}" if best else "-",
            ]
        )
    size, readers = rows[0]["size"], rows[0]["readers"]
    head = ["Method", "events/s a reader", "quartiles", "lost %", "sender ns", "reader ns", "vs best peer"]
    title = (
        f"{size:,} bytes, {readers} reader{'s' if readers > 1 else ''}; ns of processor time an event sent"
    )
    notes = [f"- {row['peer']}: {row['note']}" for row in rows if row["note"]]
    return "\n".join([title, "", method.table(head, lines) if lines else "(no rows)", "", *notes, ""])


def bars(rows: Sequence[Row]) -> list[Row]:
    """Ringlog's rate by that of the best peer of the same cell, where a bar is set.

    Like is compared with like: one event a call with one event a call, lists and batches with whatever is
    fastest. Beside it the ratio to the best in any idiom.
    """
    found = []
    for name, size, readers, wanted in BARS:
        inside = [row for row in rows if (row["size"], row["readers"]) == (size, readers)]
        ours = next((row for row in inside if row["peer"] == name and _rate(row)), None)
        best = best_peer(inside, together=1) if ours and ours["together"] == 1 else best_peer(inside)
        fastest = best_peer(inside)
        if ours and best and fastest:
            found.append(
                {
                    "peer": name,
                    "size": size,
                    "readers": readers,
                    "best_peer": best["peer"],
                    "ratio": round(_rate(ours) / _rate(best), 3),
                    "wanted": wanted,
                    "best_peer_any": fastest["peer"],
                    "ratio_any": round(_rate(ours) / _rate(fastest), 3),
                }
            )
    return found


def bar_table(found: Sequence[Row]) -> str:
    if not found:
        return "(no bar can be told from these rows)"
    lines = [
        [
            bar["peer"],
            f"{bar['size']:,}",
            f"{bar['readers']}",
            bar["best_peer"],
            f"{bar['ratio']:.2f}",
            f"{bar['wanted']:g}",
            "yes" if bar["ratio"] >= bar["wanted"] else "no",
            f"{bar['ratio_any']:.2f}",
        ]
        for bar in found
    ]
    return method.table(
        ["Method", "bytes", "readers", "best peer", "ratio", "wanted", "reached", "any idiom"], lines
    )
