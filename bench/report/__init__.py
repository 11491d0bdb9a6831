"""What do all the saved results look like, as plots, on one page and in the README?

Nothing is measured here. Read are the records in bench/results/*.json; what is not there is left out. Written
are bench/results/plots/*.svg and *.png, bench/results/index.html, and the tables of README.md between
`<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; two plots go into docs/plots, for the README. With `--check`
nothing is written: it fails if the README says something other than the records.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
from pathlib import Path

from bench import method
from bench.report import readme, records

README = Path(__file__).parent.parent.parent / "README.md"
SHOWN = ("peers-1.svg", "latency-spins.svg")  # in the README, from docs/plots


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench report", description=__doc__)
    parser.add_argument("--results", type=Path, default=method.RESULTS, help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=None, help="where the page goes (the same folder)")
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument(
        "--check", action="store_true", help="only: does the README say what the records say?"
    )
    parser.add_argument("--quick", action="store_true", help="the same as without: nothing is measured")
    given = parser.parse_args([word for word in argv if word])
    found = records.load(given.results)
    if given.check:
        return readme.check(given.readme, found)
    changed = readme.write(given.readme, found)
    print(f"{given.readme}: {', '.join(changed) or 'nothing'} changed")
    page = importlib.import_module("bench.report.page")  # only this part needs matplotlib
    out = given.out or given.results
    print(f"{page.write(out, found)} from {', '.join(found) or 'nothing'}")
    for name in SHOWN:
        kept = given.readme.parent / "docs" / "plots" / name
        if kept.parent.is_dir() and (out / "plots" / name).exists():
            shutil.copyfile(out / "plots" / name, kept)
    return 0
