"""The power cuts find what a naive program loses: a test of the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import naive
import pytest
from plans import SECOND_BOOT
from power_cuts import Broken, cut
from recorder import Recording, record
from recovery_check import booted

SEED = 30
SCENARIOS = ("first_appends", "exact_laps", "asked_for", "failing_disk")


@pytest.fixture(scope="module")
def recordings(library: Path, disk: Path) -> dict[str, Recording]:
    tasks = [{"scenario": name, "seed": SEED} for name in SCENARIOS]
    return dict(zip(SCENARIOS, record(library, disk, tasks), strict=True))


@pytest.mark.parametrize("scenario", ["first_appends", "exact_laps"])
@pytest.mark.parametrize("left_out", [naive.no_data_sync, naive.no_header_sync])
def test_a_sync_that_is_left_out(
    recordings: dict[str, Recording], image_path: str, scenario: str, left_out: Callable[[], naive.Ignore]
) -> None:
    with booted(SECOND_BOOT), pytest.raises(Broken, match=r"power cut before step \d+"):
        cut(recordings[scenario], image_path, seed=SEED, each=2, ignore=left_out())


def test_a_tail_that_is_not_synced_before_its_stride_is_overwritten(
    recordings: dict[str, Recording], image_path: str
) -> None:
    with booted(SECOND_BOOT), pytest.raises(Broken):
        cut(recordings["exact_laps"], image_path, seed=SEED, each=2, ignore=naive.no_tail_sync())


def test_a_directory_that_is_not_synced(recordings: dict[str, Recording], image_path: str) -> None:
    recording = naive.without(recordings["first_appends"], "D")
    with booted(SECOND_BOOT), pytest.raises(Broken, match="lost its name"):
        cut(recording, image_path, seed=SEED, each=2)


def test_pages_that_are_not_written_again_after_an_error(
    recordings: dict[str, Recording], image_path: str
) -> None:
    """The kernel tells of an error once; the next sync succeeds and has written nothing."""
    recording = naive.without(recordings["failing_disk"], "S", empty=True)
    with booted(SECOND_BOOT), pytest.raises(Broken):
        cut(recording, image_path, seed=SEED, each=2)


@pytest.mark.parametrize(
    ("scenario", "recovery"),
    [
        ("exact_laps", naive.header_believed),
        ("asked_for", naive.header_believed),
        ("exact_laps", naive.valid_entries_believed),
        ("asked_for", naive.same_stream),
    ],
)
def test_a_naive_recovery(
    recordings: dict[str, Recording],
    image_path: str,
    scenario: str,
    recovery: Callable[[], AbstractContextManager[None]],
) -> None:
    with booted(SECOND_BOOT), recovery(), pytest.raises(Broken):
        cut(recordings[scenario], image_path, seed=SEED, each=2, read_only=False)
