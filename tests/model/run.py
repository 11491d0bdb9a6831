"""Check the protocol's models with spin, and that each check can fail.

    python tests/model/run.py [MODEL ...]

Each model is explored as it is: no error may be found. Then it is explored with one thing taken away, a fence
say, and an error must be found: a check that can't fail shows nothing. Needs spin and gcc; takes about 20
seconds on two idle cores, most of it in gcc.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
JOBS = 2
LONGEST = 300  # seconds for one exploration

# What each model is explored with: as it must hold, and as it must not.
HOLDS = {
    "publish": [""],
    "pair": [""],
    "gate": [""],
    "jump": [""],
    "sleep": ["", "TWO_READERS", "KILL BOUNDED"],
    "lock": ["", "THREE", "ENDS"],
}
FAILS = {
    "publish": [
        "NO_ROOM_FENCE",
        "NO_OWNER_FENCE",
        "NO_CHECK_FENCE",
        "HEAD_RELAXED",
        "HEAD_SEEN_RELAXED",
        "TAIL_LATE",
    ],
    "pair": ["NO_STORE_FENCE", "NO_LOAD_FENCE", "RECORD_RELAXED", "RECORD_SEEN_RELAXED", "NO_INVALID"],
    "gate": [
        "NO_WRITER_FENCE",
        "NO_JOIN_FENCE",
        "NO_LOOK",
        "CURSOR_RELAXED",
        "CURSOR_SEEN_RELAXED",
        "LEAVE_RELAXED",
        "STATE_SEEN_RELAXED",
    ],
    "jump": [
        "NAMED_LATE",
        "TAIL_RELAXED",
        "TAIL_SEEN_RELAXED",
        "OVER_EARLY",
        "OVER_RELAXED",
        "WORD_SEEN_RELAXED",
        "NO_SECOND_LOOK",
        "NO_TAIL_LOOK",
    ],
    "sleep": ["NO_WAKER_FENCE", "NO_SLEEPER_FENCE", "NO_NUMBER", "LATE_NUMBER", "KILL"],
    "lock": [
        "ROB_LIVE",
        "NO_RECOVERY",
        "TOKEN_DECIDES",
        "THREE ONE_EPOCH",
        "ENDS NEEDS_TOKEN",
        "ENDS NO_LEASE",
    ],
}


LARGE = ("KILL BOUNDED", "THREE")


@dataclass
class Result:
    model: str
    defines: str
    must_hold: bool
    errors: int
    states: int
    seconds: float
    said: str  # the first error's name, in spin's words

    @property
    def good(self) -> bool:
        return (self.errors == 0) == self.must_hold


def explore(model: str, defines: str, must_hold: bool) -> Result:
    """Run spin's exhaustive search. Raises RuntimeError if it did not come to an end."""
    start = time.monotonic()
    flags = [f"-D{name}" for name in defines.split()]
    # An ending is looked for in cycles that are fair to every process; anything else in single states.
    how, search = (["-DNFAIR=3"], ["-a", "-f"]) if "ENDS" in defines.split() else (["-DSAFETY"], [])
    optimise = "-O1" if defines in LARGE else "-O0"  # the compiler takes longer than most explorations
    with tempfile.TemporaryDirectory() as folder:
        for source in HERE.glob("*.pml"):
            shutil.copy(source, folder)
        for command in (
            ["spin", *flags, "-a", f"{model}.pml"],
            ["gcc", optimise, "-w", "-DCOLLAPSE", "-DVECTORSZ=2048", *how, "-o", "pan", "pan.c"],
        ):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        pan = subprocess.run(
            ["./pan", "-m100000", *search], cwd=folder, capture_output=True, text=True, timeout=LONGEST
        )
    found = re.search(r"errors: (\d+)", pan.stdout)
    states = re.search(r"(\d+(?:\.\d+e\+\d+)?) states, stored", pan.stdout)
    if found is None or states is None or "max search depth too small" in pan.stdout:
        raise RuntimeError(f"{model} {defines}: {pan.stdout}{pan.stderr}")
    said = re.search(r"pan:\d+: (.*) \(at depth", pan.stdout)
    return Result(
        model,
        defines,
        must_hold,
        int(found[1]),
        int(float(states[1])),
        time.monotonic() - start,
        said[1] if said else "",
    )


def main() -> int:
    models = sys.argv[1:] or list(HOLDS)
    tasks = [(m, d, True) for m in models for d in HOLDS[m]] + [
        (m, d, False) for m in models for d in FAILS[m]
    ]
    results = []
    with ThreadPoolExecutor(JOBS) as pool:
        for r in pool.map(lambda task: explore(*task), tasks):
            results.append(r)
            verdict = "holds" if r.errors == 0 else f"fails: {r.said}"
            wrong = "" if r.good else "  <-- WRONG"
            line = f"{r.model:8} {r.defines:20} {r.states:9,} states {r.seconds:5.1f} s  {verdict}{wrong}"
            print(line, flush=True)
    explored = sum(r.states for r in results if r.must_hold)
    bad = [r for r in results if not r.good]
    print(
        f"{explored:,} states explored without an error; "
        f"{len(results) - len(bad)} of {len(results)} explorations came out as they must"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
