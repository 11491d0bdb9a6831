"""G1 to G5 at every named step: killed, stopped for a while, interrupted; alone, among other writers, with
lossless and with sleeping readers.

A case is named point-programme-action-scenario: `pytest -k head_record-Many-kill`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import points_build
import points_plan
import pytest
from points_pool import Case, Pool

from ringlog import _core

NATIVE = [
    (point, programme, action, scenario)
    for scenario in points_plan.SCENARIOS
    for point, programme in points_plan.native()
    for action in points_plan.ACTIONS
    if (points_plan.BY_NAME[programme], scenario) not in points_plan.UNREACHABLE
]
POLICY = [
    (step, programme, action, "lone")
    for step, programme in points_plan.policy()
    for action in ("kill", "abort")
]


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    asked = [item.callspec.params["case"] for item in request.session.items if hasattr(item, "callspec")
             and "case" in item.callspec.params and item.path == request.path]  # fmt: skip
    pool = Pool(asked)
    yield pool
    pool.close()
    print(f"{pool.cases} cases; slowest until somebody else had appended: {pool.recovery:.3f} s")


def name(case: object) -> str:
    return "-".join(case) if isinstance(case, tuple) else repr(case)


@pytest.mark.parametrize("case", NATIVE, ids=name)
def test_hit_at_a_point(pool: Pool, case: Case) -> None:
    answer = pool.answer(case)
    assert not answer["error"], answer["error"]
    assert not answer["unreached"]


@pytest.mark.parametrize("case", POLICY, ids=name)
def test_hit_at_every_line_of_the_policy(pool: Pool, case: Case) -> None:
    answer = pool.answer(case)
    assert not answer["error"], answer["error"]
    assert not answer["unreached"]
    assert answer["cases"]


def test_every_point_has_its_programmes() -> None:
    code = "from ringlog import _core; print(*_core.points())"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": points_build.built()},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert answer.stdout.split() == points_build.names()
    for scenario in points_plan.SCENARIOS:
        reached = {case[0] for case in NATIVE if case[3] == scenario}
        left = set(points_plan.names()) - reached
        excused = {point for point, programme in points_plan.native()
                   if (points_plan.BY_NAME[programme], scenario) in points_plan.UNREACHABLE}  # fmt: skip
        assert left <= excused
    assert {case[0] for case in NATIVE} == set(points_plan.names())


def test_the_shipped_build_has_no_points() -> None:
    assert not [name for name in dir(_core) if "point" in name]
    shipped = Path(_core.__file__).read_bytes()
    [made] = Path(points_build.built()).glob("ringlog/_core*.so")
    for word in (b"rl_point", b"arm_point", b"lock_not_free"):
        assert word not in shipped
        assert word in made.read_bytes()
