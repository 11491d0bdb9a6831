"""Runs cases, told by lines of JSON: in an interpreter that has the build with points, and forks well.

PYTHONPATH=<that build> python points_driver.py
["head_stored", "Programme", "kill", "lone"]
{"cases": 1, "recovery": 0.002, "unreached": [], "error": null}
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "writers")]

from points_case import Case  # noqa: E402
from points_history import VICTIM  # noqa: E402

TRIES = 5  # rivals may take what a victim was to reach


class Outcome:
    def __init__(self) -> None:
        self.cases, self.recovery, self.unreached = 0, 0.0, list[str]()

    def run(self, point: str, programme: str, action: str, scenario: str) -> Case:
        for _ in range(TRIES if scenario == "contending" else 1):
            case = Case(point, programme, action, scenario)
            try:
                case.run()
            except Exception as error:
                raise RuntimeError(f"{point}-{programme}-{action}-{scenario}") from error
            self.recovery = max(self.recovery, case.recovery)
            if case.reached:
                break
        else:
            self.unreached.append(point)
        self.cases += 1
        return case

    def run_every_line(self, step: str, programme: str, action: str, scenario: str) -> None:
        """Of the lines of a function of the policy, those that the programme runs at all."""
        lines = self.run(step, programme, "none", scenario).told[VICTIM].words
        self.cases, self.unreached = 0, []
        for line in sorted(int(word.split()[1]) for word in lines if word.startswith("line ")):
            self.run(step.replace("*", str(line)), programme, action, scenario)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for pytest
    for line in sys.stdin:
        case = json.loads(line)
        outcome, error = Outcome(), None
        try:
            (outcome.run_every_line if case[0].endswith("*") else outcome.run)(*case)
        except Exception:
            error = traceback.format_exc()
        print(json.dumps({**vars(outcome), "error": error}), flush=True)


if __name__ == "__main__":
    main()
