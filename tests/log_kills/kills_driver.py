"""Walks programmes: dies at every step of theirs. In an interpreter that has the build with points.

PYTHONPATH=<that build> python kills_driver.py Record [the step, as it is printed]
{"cases": 120, "steps": ["log_counted", ...], "errors": []}
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "log")]

from kills_case import Case  # noqa: E402
from kills_steps import Step  # noqa: E402

ENOUGH = 5  # errors of one programme


def steps_of(programme: str) -> list[Step]:
    case = Case(programme)
    try:
        return case.steps()
    finally:
        case.close()


def kill_at(programme: str, step: Step) -> str | None:
    """What did not hold, or None."""
    case = Case(programme)
    try:
        case.run(step)
    except Exception:
        return f"{programme}, killed {step}:\n{traceback.format_exc()}"
    finally:
        case.close()
    return None


def main() -> None:
    programme, only = sys.argv[1], " ".join(sys.argv[2:])
    steps = steps_of(programme)
    errors: list[str] = []
    cases = 0
    for step in steps:
        if only and str(step) != only:
            continue
        cases += 1
        if error := kill_at(programme, step):
            errors.append(error)
            if len(errors) == ENOUGH:
                break
    names = sorted({step.name for step in steps})
    print(json.dumps({"cases": cases, "steps": names, "errors": errors}), flush=True)


if __name__ == "__main__":
    if not hasattr(__import__("ringlog")._core, "arm_point"):  # by hand, then
        import points_build

        environment = {**os.environ, "PYTHONPATH": points_build.built()}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    main()
