"""Every step of every programme: what the suite takes some of.

    python -m tests.log_kills [PROGRAMME ...] [--step STEP]

From a checkout, with ringlog installed. Takes minutes. --step: only there, as a failure prints it. Exit
code 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "log")]

from kills_programmes import PROGRAMMES  # noqa: E402
from kills_walk import Walks  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.log_kills", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("programmes", nargs="*", metavar="PROGRAMME", help=", ".join(PROGRAMMES))
    parser.add_argument("--step", default="all")
    arguments = parser.parse_args()
    names = arguments.programmes or list(PROGRAMMES)
    if unknown := set(names) - set(PROGRAMMES):
        parser.error(f"no such programme: {', '.join(unknown)}")
    walks = Walks(names, arguments.step)
    cases = wrong = 0
    for name in names:
        walked = walks.of(name)
        cases, wrong = cases + walked.cases, wrong + len(walked.errors)
        print(f"{name}: {walked.cases} kills, {len(walked.errors)} wrong", flush=True)
        for error in walked.errors:
            print(error)
    walks.close()
    print(f"{cases} kills in all, {wrong} wrong")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
