"""Numbers in words, as people are told them."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size_text(size: int) -> str:
    """``16 MiB``, ``1.5 GiB``, ``300 bytes``."""
    if size < 1024:
        return f"{size} byte{'' if size == 1 else 's'}"
    step = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / (1 << 10 * step):.1f}".removesuffix(".0") + f" {_UNITS[step - 1]}"


def count(number: int, what: str) -> str:
    """``1 ring``, ``2 rings``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """``3.2 s``, ``15 min``, ``6 h``, ``3 d``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
