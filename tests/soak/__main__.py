"""Writers, readers and a killer, for as long as you like; then every event's history is checked.

    python -m tests.soak --minutes 20 [--seed 7] [--points]

From a checkout, with ringlog installed. Rounds of some seconds, each with a new ring: writers of all kinds
that note what was acknowledged to them before they go on, lossless, named, lossy, sleeping and async readers
that note what they read, and a killer that kills, stops, resumes and interrupts them at random. With --points
the build with named points is used, and writers also die at those. The seed is printed first; it makes the
killer's choices again, not the machine's. Exit code 1 if anything was lost or wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from soak_round import Round, Score  # noqa: E402

ROUND = 10.0  # seconds


def soak(minutes: float, seed: int, *, points: bool = False) -> Score:
    """Raises AssertionError if somebody hangs or fails."""
    chance, score = random.Random(seed), Score(seed)
    until = time.monotonic() + minutes * 60
    while (left := until - time.monotonic()) > 0:
        Round(score, chance, min(left, ROUND), points=points).run()
        if score.wrong:
            break
    return score


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--points", action="store_true", help="with the build that has named points")
    arguments = parser.parse_args()
    if arguments.points and "RINGLOG_SOAK_POINTS" not in os.environ:
        import points_build

        environment = {**os.environ, "PYTHONPATH": points_build.built(), "RINGLOG_SOAK_POINTS": "1"}
        os.execve(sys.executable, [sys.executable, str(HERE), *sys.argv[1:]], environment)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    score = soak(arguments.minutes, seed, points=arguments.points)
    print(score)
    for line in score.wrong:
        print(line)
    return 1 if score.wrong or score.total("lost") else 0


if __name__ == "__main__":
    sys.exit(main())
