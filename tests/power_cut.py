"""Power cuts by the thousand: `python -m tests.power_cut --images 20000 --seed 1`, in the checkout.

Programs are recorded with ever new seeds, and what the disk may hold at their moments is opened as after a
reboot (tests/power_loss). The seed is printed, also with what fails, and --seed repeats it (but for
`interval` and `log_interval`, whose syncs fall as they fall).
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "power_loss")]

from disk_place import disk_folder  # noqa: E402
from plans import LOGS, PLAIN, SECOND_BOOT, cut_again, kills, log_kills  # noqa: E402
from power_cuts import LOG, RING, Broken, Kind, Survivor, Tally, cut  # noqa: E402
from recorder import build, record  # noqa: E402
from recovery_check import booted  # noqa: E402

import ringlog  # noqa: E402


def one_round(library: Path, disk: Path, path: str, seed: int, kind: Kind) -> dict[str, Tally]:
    """Every scenario once, a few kills, and a second power cut behind some of the first."""
    dice = random.Random(seed)
    tasks = [{"scenario": name, "seed": seed} for name in (LOGS if kind is LOG else PLAIN)]
    tasks += (log_kills if kind is LOG else kills)(dice, 12)
    tallies: dict[str, Tally] = {}
    survivors: list[Survivor] = []
    with booted(SECOND_BOOT):
        for task, recording in zip(tasks, record(library, disk, tasks), strict=True):
            opened: list[Survivor] = []
            name = str(task["scenario"])
            try:
                tally = cut(recording, path, seed=seed, each=6, kind=kind, survivors=opened)
            except Broken as broken:
                shown = {key: value for key, value in task.items() if key not in ("path", "log")}
                raise Broken(f"{shown}: {broken}") from broken
            tallies.setdefault(name, Tally()).add(tally)
            survivors += dice.sample(opened, min(2, len(opened)))
    (disk / "again").mkdir()
    what = "a second, of logs" if kind is LOG else "a second power cut"
    tallies[what] = cut_again(library, disk / "again", path, survivors, seed=seed, each=4, kind=kind)
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.power_cut", description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="try at least so many")
    parser.add_argument("--of", choices=("rings", "logs", "both"), default="both")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    total: dict[str, Tally] = {}
    began = time.monotonic()
    seed = arguments.seed
    kinds = {"rings": [RING], "logs": [LOG], "both": [RING, LOG]}[arguments.of]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as images:
        library = build(Path(images))
        while sum(tally.images for tally in total.values()) < arguments.images:
            disk = disk_folder()
            if disk is None:
                print("no file system with a disk; RINGLOG_DISK may name one", file=sys.stderr)
                return 2
            print(f"seed {seed}", flush=True)
            try:
                for kind in kinds:
                    folder = disk / ("logs" if kind is LOG else "rings")
                    folder.mkdir()
                    for name, tally in one_round(library, folder, f"{images}/image", seed, kind).items():
                        total.setdefault(name, Tally()).add(tally)
            finally:
                for ring in disk.rglob("ring"):
                    ringlog.unlink(ring)
                shutil.rmtree(disk)
            seed += 1
    print(f"\n{'scenario':<22}{'moments':>9}{'images':>9}{'slowest recovery':>20}")
    everything = Tally()
    for name, tally in total.items():
        everything.add(tally)
        print(f"{name:<22}{tally.moments:>9}{tally.images:>9}{tally.slowest * 1000:>17.1f} ms")
    print(f"{'all':<22}{everything.moments:>9}{everything.images:>9}{everything.slowest * 1000:>17.1f} ms")
    print(f"\n{time.monotonic() - began:.0f} s; images by kind:")
    for kind, count in sorted(everything.kinds.items(), key=lambda item: -item[1]):
        print(f"{count:>9}  {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
