"""Which scenarios are recorded, with which kills; and power cuts during what came after a power cut."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from power_cuts import LOG, RING, Kind, Survivor, Tally, cut
from recorder import record
from recovery_check import booted

PLAIN = (
    "first_appends",
    "sizes",
    "exact_laps",
    "claims",
    "ended_and_reopened",
    "asked_for",
    "never_asked_for",
    "interval",
    "clean_then_unsynced",
    "two_writers",
    "named_readers",
    "named_unsynced",
    "jumps",
    "failing_disk",
    "failing_records",
)
LOGS = (
    "log_always",
    "log_asked_for",
    "log_never_asked_for",
    "log_interval",
    "log_taken_over",
    "log_kept_short",
    "log_indexed",
    "log_recorded",
)
SECOND_BOOT = b"the second boot."
THIRD_BOOT = b"the third boot.."


def kills(dice: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Writers that are killed behind some store, each with the way that they sync."""
    for _ in range(count):
        # About 400 stores make up an append of 9000 bytes, a batch, and a sync.
        arguments = {"sync": dice.choice(["always", "none", 60.0]), "stores": dice.randint(1, 3000)}
        yield {"scenario": "killed", "seed": dice.randint(1, 1 << 30), "arguments": arguments}


def log_kills(dice: random.Random, count: int) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        arguments = {"sync": dice.choice(["always", "none", 60.0]), "stores": dice.randint(1, 2500)}
        yield {"scenario": "log_killed", "seed": dice.randint(1, 1 << 30), "arguments": arguments}


def cut_again(
    library: Path,
    disk: Path,
    path: str,
    survivors: Sequence[Survivor],
    *,
    seed: int,
    each: int,
    kind: Kind = RING,
) -> Tally:
    """The machine starts again from each of these images, a program goes on, and the power is cut again:
    during the recovery, or later."""
    tally = Tally()
    tasks = []
    for number, survivor in enumerate(survivors):
        assert survivor.image.data is not None
        image = disk / f"image-{number}"
        if kind is LOG:
            image.mkdir()
            for name, data in survivor.image.data.items():
                (image / name).write_bytes(data)
        else:
            image.write_bytes(survivor.image.data)
        scenario = "log_go_on" if kind is LOG else "go_on"
        task = {"scenario": scenario, "seed": seed + number, "image": str(image), "label": 50_000}
        tasks.append({**task, "boot_id": SECOND_BOOT.hex()})
    recordings = record(library, disk, tasks)
    with booted(THIRD_BOOT):
        for survivor, recording in zip(survivors, recordings, strict=True):
            history = survivor.found.history if kind is LOG else survivor.history.copy()
            if kind is RING:
                history.recovered = survivor.found.events
            tally.add(cut(recording, path, seed=seed, each=each, kind=kind, history=history))
    return tally
