"""Fuzzing from the command line: ``python -m tests.fuzz [--seconds N] [TARGET...]``.

read, write, recover: libFuzzer on the headers (needs clang). api: whole files, opened by whatever opens
one. scribble: random bytes into a ring that is in use. Each for N seconds, one after the other. What is
found is printed with what is needed to see it again; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

import fuzz_api
import fuzz_native
import scribble

NATIVE = fuzz_native.TARGETS
TARGETS = (*NATIVE, "api", "scribble")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (default 10)")
    parser.add_argument("--seed", type=int, default=None, help="of api and scribble; printed if not given")
    parser.add_argument("--work", type=Path, help="a directory in which the corpora of this run stay")
    parser.add_argument("--replay", action="store_true", help="only the kept corpora, once (any C compiler)")
    parser.add_argument(
        "--keep", action="store_true", help="minimise the corpora of --work into the kept ones"
    )
    given = parser.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if given.keep and not given.work:
        parser.error("--keep needs --work")
    seed = secrets.randbits(32) if given.seed is None else given.seed
    good = True
    for target in given.targets or TARGETS:
        start = time.monotonic()
        if target in NATIVE:
            if given.replay:
                good &= fuzz_native.replay(target)
            elif given.keep:
                good &= fuzz_native.keep(target, given.work)
            else:
                good &= fuzz_native.fuzz(target, given.seconds, given.work)
        elif not (given.replay or given.keep):
            run = fuzz_api.run if target == "api" else scribble.run
            good &= run(given.seconds, seed)
        print(f"{target}: {time.monotonic() - start:.0f} s", flush=True)
    print("nothing found" if good else "FOUND SOMETHING: see above")
    return 0 if good else 1


sys.exit(main())
