"""Whoever works on a log is killed at each of its steps: nothing acknowledged is lost, nothing comes twice.

What is passed many times, not each time; `python -m tests.log_kills` leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Iterator

import points_build
import pytest
from disk_place import disk_folder
from kills_programmes import PROGRAMMES
from kills_walk import Walks

HANGS = 100.0
NO_DISK = "no file system with a disk; RINGLOG_DISK may name one"
# What no change may lose sight of: it is by these that a log's files come, grow, end and go.
CALLS = {
    "mkdir", "flock", "open", "write", "link", "unlink", "rename", "ftruncate", "posix_fallocate", "fsync",
}  # fmt: skip


@pytest.fixture(scope="module")
def programmes() -> list[str]:
    """Those that this machine has a place for."""
    folder = disk_folder()
    if folder is not None:
        folder.rmdir()
    return [name for name, kind in PROGRAMMES.items() if folder is not None or not kind.disk]


@pytest.fixture(scope="module")
def walks(request: pytest.FixtureRequest, programmes: list[str]) -> Iterator[Walks]:
    here = [item for item in request.session.items if item.path == request.path]
    asked = {item.callspec.params["programme"] for item in here if hasattr(item, "callspec")}
    if len(asked) < len(here):  # for the test that looks at all of them
        asked.update(programmes)
    walks = Walks([name for name in programmes if name in asked], "few", timeout=HANGS)
    yield walks
    walks.close()


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_killed_at_its_steps(walks: Walks, programmes: list[str], programme: str) -> None:
    if programme not in programmes:
        pytest.skip(NO_DISK)
    walked = walks.of(programme)
    print(f"{walked.cases} cases")
    assert not walked.errors, "\n".join(walked.errors)
    assert walked.cases >= len(walked.steps)


def test_no_step_is_left_out(walks: Walks, programmes: list[str]) -> None:
    if len(programmes) < len(PROGRAMMES):
        pytest.skip(NO_DISK)
    steps = {step for name in PROGRAMMES for step in walks.of(name).steps}
    assert {name for name in points_build.names() if name.startswith(points_build.OF_LOGS)} <= steps
    assert {step.partition(": ")[2] for step in steps if ": " in step} >= CALLS
