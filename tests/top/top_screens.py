"""The pictures of the planted rings.

`python tests/top/top_screens.py` writes them: to `screens/`, where the tests look, and to docs/screens.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a program

from planted_rings import planted

import ringlog
from ringlog.cli.top_live import View
from ringlog.observing import Sample

FOLDER = Path(__file__).parent / "screens"
DOCS = Path(__file__).parents[2] / "docs"
SCREENS = {"top.txt": (80, 24), "top-wide.txt": (120, 24)}


def picture(sample: Sample, width: int, height: int) -> str:
    """The whole screen of `ringlog top`, without colours."""
    lines = View("trouble", 1.0).draw(sample, width, height)
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    return "".join(line.plain.rstrip() + "\n" for line in lines)


@contextlib.contextmanager
def somewhere() -> Iterator[Path]:
    """An empty directory in memory; the rings in it are removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="ringlog-screens-", dir="/dev/shm"))
    try:
        yield folder
    finally:
        for path in folder.iterdir():
            ringlog.unlink(path)
        folder.rmdir()


def main() -> None:
    with somewhere() as folder, planted(folder) as sample:
        for name, size in SCREENS.items():
            for place in (FOLDER, DOCS / "screens"):
                place.mkdir(exist_ok=True)
                (place / name).write_text(picture(sample, *size))
                print(place / name)


if __name__ == "__main__":
    main()
