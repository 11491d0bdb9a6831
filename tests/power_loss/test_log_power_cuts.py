"""Whatever a power cut leaves of a log: what was promised is there, and nothing else is made up.

As test_power_cuts.py, for a directory of files with their names and sizes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import naive
import pytest
from plans import LOGS, SECOND_BOOT, cut_again, log_kills
from power_cuts import LOG, Broken, Survivor, Tally, cut
from recorder import Recording, record
from recovery_check import booted

SEED = 4
pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def recordings(library: Path, disk: Path) -> dict[str, Recording]:
    tasks = [{"scenario": name, "seed": SEED} for name in LOGS]
    return dict(zip(LOGS, record(library, disk, tasks), strict=True))


@pytest.mark.parametrize("scenario", LOGS)
def test_what_was_promised_survives(recordings: dict[str, Recording], image_path: str, scenario: str) -> None:
    recording = recordings[scenario]
    assert recording.stores > (4 if scenario == "log_recorded" else 200)  # whose runs are written by calls
    assert not recording.unseen
    with booted(SECOND_BOOT):
        tally = cut(recording, image_path, seed=SEED, each=1, moments_at_most=30, kind=LOG)
    assert tally.images >= tally.moments > 0


def test_a_kill_before_the_power_cut(library: Path, disk: Path, image_path: str) -> None:
    tally = Tally()
    folder = disk / "kills"
    folder.mkdir()
    tasks = list(log_kills(random.Random(SEED), 5))
    with booted(SECOND_BOOT):
        for task, recording in zip(tasks, record(library, folder, tasks), strict=True):
            try:
                tally.add(cut(recording, image_path, seed=SEED, each=1, moments_at_most=15, kind=LOG))
            except AssertionError as error:
                raise AssertionError(f"{task['arguments']}, seed {task['seed']}: {error}") from error
    assert tally.images > 100


@pytest.mark.parametrize("scenario", ["log_asked_for", "log_never_asked_for"])
def test_a_second_power_cut(
    recordings: dict[str, Recording], library: Path, disk: Path, image_path: str, scenario: str
) -> None:
    survivors: list[Survivor] = []
    with booted(SECOND_BOOT):
        cut(
            recordings[scenario],
            image_path,
            seed=SEED,
            each=1,
            moments_at_most=8,
            kind=LOG,
            survivors=survivors,
        )
    chosen = random.Random(SEED).sample(survivors, 3)
    folder = disk / f"again-{scenario}"
    folder.mkdir()
    tally = cut_again(library, folder, image_path, chosen, seed=SEED, each=1, kind=LOG)
    assert tally.images > 30


# ---- what a naive program loses: a test of the tests ----


def cut_all(recordings: list[Recording], path: str) -> None:
    for recording in recordings:
        cut(recording, path, seed=SEED, each=4, kind=LOG)


@pytest.mark.parametrize("scenario", ["log_always", "log_asked_for"])
@pytest.mark.parametrize("left_out", [naive.no_entries_sync, naive.no_header_sync])
def test_a_sync_that_is_left_out(
    recordings: dict[str, Recording], image_path: str, scenario: str, left_out: Callable[[], naive.Ignore]
) -> None:
    with booted(SECOND_BOOT), pytest.raises(Broken, match=r"power cut before step \d+"):
        cut(recordings[scenario], image_path, seed=SEED, each=2, kind=LOG, ignore=left_out())


def test_a_directory_that_is_not_synced(recordings: dict[str, Recording], image_path: str) -> None:
    recording = naive.without(recordings["log_always"], "D")
    with booted(SECOND_BOOT), pytest.raises(Broken, match="lost its name"):
        cut(recording, image_path, seed=SEED, each=2, kind=LOG)


@pytest.mark.parametrize(
    "forgotten", ["ringlog.log.settling.settle", "ringlog.log.open_segment.OpenSegment.vouch"]
)
def test_a_step_that_is_forgotten(library: Path, disk: Path, image_path: str, forgotten: str) -> None:
    folder = disk / forgotten
    folder.mkdir()
    tasks = [
        {"scenario": "log_asked_for", "seed": seed, "arguments": {"naive": forgotten}} for seed in range(1, 4)
    ]
    forgetful = list(record(library, folder, tasks))
    with booted(SECOND_BOOT), pytest.raises(Broken, match=r"promised events are gone|lost its name"):
        cut_all(forgetful, image_path)


@pytest.mark.parametrize("recovery", [naive.words_believed, naive.half_entries_believed])
def test_a_naive_recovery(
    recordings: dict[str, Recording], image_path: str, recovery: Callable[[], AbstractContextManager[None]]
) -> None:
    chosen = [recordings["log_asked_for"], recordings["log_never_asked_for"]]
    with booted(SECOND_BOOT), recovery(), pytest.raises(Broken):
        cut_all(chosen, image_path)
