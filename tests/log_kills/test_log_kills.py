"""Whoever works on a log is killed at each of its steps: nothing acknowledged is lost, nothing comes twice.

What is passed many times, not each time; `python -m tests.log_kills` leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Iterator

import points_build
import pytest
from kills_programmes import PROGRAMMES
from kills_walk import Walks

HANGS = 100.0
# What no change may lose sight of: it is by these that a log's files come, grow, end and go.
CALLS = {
    "mkdir", "flock", "open", "write", "link", "unlink", "rename", "ftruncate", "posix_fallocate", "fsync",
}  # fmt: skip


@pytest.fixture(scope="module")
def walks(request: pytest.FixtureRequest) -> Iterator[Walks]:
    here = [item for item in request.session.items if item.path == request.path]
    asked = [item.callspec.params["programme"] for item in here if hasattr(item, "callspec")]
    every_one = len(asked) < len(here)  # for the test that looks at all of them
    walks = Walks(list(PROGRAMMES) if every_one else asked, "few", timeout=HANGS)
    yield walks
    walks.close()


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_killed_at_its_steps(walks: Walks, programme: str) -> None:
    walked = walks.of(programme)
    print(f"{walked.cases} cases")
    assert not walked.errors, "\n".join(walked.errors)
    assert walked.cases >= len(walked.steps)


def test_no_step_is_left_out(walks: Walks) -> None:
    steps = {step for name in PROGRAMMES for step in walks.of(name).steps}
    assert {name for name in points_build.names() if name.startswith(points_build.OF_LOGS)} <= steps
    assert {step.partition(": ")[2] for step in steps if ": " in step} >= CALLS
