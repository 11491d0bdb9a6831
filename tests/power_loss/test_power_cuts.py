"""G9: whatever a power cut leaves on the disk, what was promised is there, and nothing else is made up.

Programs are recorded store by store and sync by sync. From that follow the files that the disk may hold when
the power goes; each is opened as after a reboot. `python -m tests.power_cut` tries as many as are asked for.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from plans import PLAIN, SECOND_BOOT, cut_again, kills
from power_cuts import Survivor, Tally, cut
from recorder import Recording, record
from recovery_check import booted

SEED = 20


@pytest.fixture(scope="module")
def recordings(library: Path, disk: Path) -> dict[str, Recording]:
    tasks = [{"scenario": name, "seed": SEED} for name in PLAIN]
    return dict(zip(PLAIN, record(library, disk, tasks), strict=True))


@pytest.mark.parametrize("scenario", PLAIN)
def test_what_was_promised_survives(recordings: dict[str, Recording], image_path: str, scenario: str) -> None:
    recording = recordings[scenario]
    assert recording.stores > 200
    assert not recording.unseen
    with booted(SECOND_BOOT):
        tally = cut(recording, image_path, seed=SEED, each=1, moments_at_most=30)
    assert tally.images >= tally.moments > 0


def test_a_kill_before_the_power_cut(library: Path, disk: Path, image_path: str, tmp_path: Path) -> None:
    tally = Tally()
    folder = disk / "kills"
    folder.mkdir()
    tasks = list(kills(random.Random(SEED), 7))
    with booted(SECOND_BOOT):
        for task, recording in zip(tasks, record(library, folder, tasks), strict=True):
            try:
                tally.add(cut(recording, image_path, seed=SEED, each=1, moments_at_most=12))
            except AssertionError as error:
                raise AssertionError(f"{task['arguments']}, seed {task['seed']}: {error}") from error
    assert tally.images > 200


@pytest.mark.parametrize("scenario", ["asked_for", "named_unsynced"])
def test_a_second_power_cut(
    recordings: dict[str, Recording], library: Path, disk: Path, image_path: str, scenario: str
) -> None:
    survivors: list[Survivor] = []
    with booted(SECOND_BOOT):
        cut(recordings[scenario], image_path, seed=SEED, each=1, moments_at_most=8, survivors=survivors)
    chosen = random.Random(SEED).sample(survivors, 5)
    folder = disk / f"again-{scenario}"
    folder.mkdir()
    tally = cut_again(library, folder, image_path, chosen, seed=SEED, each=1)
    assert tally.images > 50
