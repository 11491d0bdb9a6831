"""Numbers as people read them."""

from __future__ import annotations


def count(value: float) -> str:
    """1,234,567 as 1.23 M: three figures."""
    for least, sign in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * least:
            return f"{figures(value / least)}{sign}"
    return figures(value)


def figures(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def duration(ns: float) -> str:
    for least, sign in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= least:
            return f"{figures(ns / least)} {sign}"
    return f"{ns:.0f} ns"


def size(value: float) -> str:
    for least, sign in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= least:
            return f"{value / least:g} {sign}"
    return f"{value:g} B"


def part(value: float) -> str:
    """A part of one as per cent; small ones are not called nothing."""
    if value <= 0:
        return "0"
    return "< 0.1 %" if value < 0.001 else f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"
