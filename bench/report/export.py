"""A drawn plot as files, and as a part of a page that is light or dark."""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from bench.report.drawing import ROLES, STYLE


def save(figure: Figure, folder: Path, name: str) -> None:
    """As SVG, its letters as outlines so that it looks the same everywhere, and as PNG."""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path"}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=160)


def inlined(figure: Figure, title: str) -> str:
    """An SVG element for a page: letters as text, colours as the page's variables."""
    file = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{title}"', text, count=1)
    for role, colour in ROLES.items():
        text = text.replace(colour, f"var(--{role})")
    return text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana")
