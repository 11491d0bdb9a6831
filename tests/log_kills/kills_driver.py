"""Walks a programme: kills it at every step of its own. In an interpreter that has the build with points.

PYTHONPATH=<that build> python kills_driver.py Record all|few|<the step, as it is printed>
{"cases": 120, "steps": ["log_counted", ...], "errors": []}

few: of what is passed often, the first times and the last.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "log")]

from kills_case import Case  # noqa: E402
from kills_steps import Step  # noqa: E402

ENOUGH = 5  # errors of one programme
FIRST = (1, 2)


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


def chosen(steps: list[Step], which: str) -> list[Step]:
    if which == "all":
        return steps
    if which != "few":
        return [step for step in steps if str(step) == which]
    last = {(step.when, step.name): step.nth for step in steps}
    return [step for step in steps if step.nth in (*FIRST, last[step.when, step.name])]


def main() -> None:
    programme, which = sys.argv[1], " ".join(sys.argv[2:])
    steps = steps_of(programme)
    errors: list[str] = []
    cases = 0
    for step in chosen(steps, which):
        cases += 1
        if error := kill_at(programme, step):
            errors.append(error)
            if len(errors) == ENOUGH:
                break
    names = sorted({step.name for step in steps})
    print(json.dumps({"cases": cases, "steps": names, "errors": errors}), flush=True)


if __name__ == "__main__":
    main()
