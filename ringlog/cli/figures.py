"""Numbers as narrow columns show them: three digits and a unit, whatever their size."""

from __future__ import annotations

_THOUSANDS = ("", "k", "M", "G", "T", "P", "E")
_BYTES = ("B", "K", "M", "G", "T", "P", "E")


def short(number: float | None) -> str:
    """``0``, ``950``, ``1.23k``, ``45.6M``; ``-`` for None."""
    return "-" if number is None else _scaled(number, 1000, _THOUSANDS)


def short_bytes(number: float | None) -> str:
    """``512B``, ``25.1M``, in powers of 1024; ``-`` for None."""
    return "-" if number is None else _scaled(number, 1024, _BYTES)


def percent(share: float | None) -> str:
    """``7%``, ``130%``; ``-`` for None."""
    return "-" if share is None else f"{share:.0%}"


def short_span(seconds: float | None) -> str:
    """``12 ms``, ``3.2 s``, ``15 min``, ``4 h``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms" if 0 < seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    power = 0
    while number >= step * 0.9995 and power < len(units) - 1:
        number /= step
        power += 1
    if power == 0:
        return (
            f"{number:.0f}{units[0]}"
            if number >= 9.95 or number == int(number)
            else f"{number:.1f}{units[0]}"
        )
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{units[power]}"
