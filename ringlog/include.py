"""Where the C headers of the protocol are installed."""

from __future__ import annotations

from pathlib import Path


def get_include() -> str:
    """Return the directory to pass to a C or C++ compiler with -I, for `#include "ringlog/reader.h"`."""
    return str(Path(__file__).parent / "_native" / "include")
