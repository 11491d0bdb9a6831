"""How figures are written: three digits, and a unit that a person would use."""

from __future__ import annotations

_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def digits(value: float) -> str:
    """Three digits that count, no exponent; fewer where they would be zeros behind the point."""
    if value >= 99.95:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def amount(value: float) -> str:
    """1,234,567 is 1.23 M."""
    return _scaled(value, _LARGE)


def span(seconds: float) -> str:
    """0.00123 is 1.23 ms."""
    return _scaled(seconds, _TIMES)


def percent(part: float) -> str:
    return f"{digits(part * 100)} %"


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    if value == 0:
        return "0"
    for factor, unit in units:
        if value >= factor * 0.9995:
            return f"{digits(value / factor)} {unit}".strip()
    factor, unit = units[-1]
    return f"{digits(value / factor)} {unit}".strip()
