"""``python -m bench VERB ...``: run benchmarks; without a verb, list them and the questions they answer."""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import sys

# A verb's module has a docstring whose first line is its question, and `main(arguments) -> exit code`.
VERBS = {
    "peers": "bench.against_peers",
    "producer": "bench.producer",
    "latency": "bench.latency",
    "idle": "bench.idle",
    "scale": "bench.scale",
    "floor": "bench.floor",
    "parts": "bench.parts",
    "seed": "bench.seed",
    "one_to_one": "bench.one_to_one",
    "columns": "bench.columns",
    "frames": "bench.frames",
    "log": "bench.log",
    "log_record": "bench.log_record",
    "log_size": "bench.log_size",
    "async_readers": "bench.async_readers",
    "logging": "bench.logging_cost",
    "bridge": "bench.bridge",
    "scaling": "bench.scaling",
    "report": "bench.report",
}


# numpy's OpenBLAS starts a thread for each core, and they spin for a tenth of a second, waiting for work that
# no process of a benchmark has: on few cores that disturbs whatever is measured. Before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def question(module: str) -> str:
    """The one question that a benchmark answers: the first line of its docstring."""
    try:
        lines = (importlib.import_module(module).__doc__ or "").strip().splitlines()
    except ImportError as error:
        return f"(can't be loaded: {error})"
    return lines[0] if lines else "(asks nothing)"


def known(word: str) -> str:
    if word not in VERBS:
        raise argparse.ArgumentTypeError(f"there is no {word!r}: {', '.join(VERBS)}")
    return word


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        usage="python -m bench [VERB ...] [--OPTION ...]",
        description="ringlog's benchmarks, one after the other. `python -m bench VERB --help` tells a verb's"
        " options; those given are given to every verb.",
    )
    parser.add_argument("verbs", nargs="*", type=known, metavar="VERB", help=", ".join(VERBS))
    verbs = list(itertools.takewhile(lambda word: not word.startswith("-"), argv))
    arguments = argv[len(verbs) :]
    parser.parse_args(verbs or arguments)
    if not verbs:
        width = max(map(len, VERBS))
        for verb, module in VERBS.items():
            print(f"{verb:<{width}}  {question(module)}")
        return 0
    if len(verbs) > 1 and any(word.startswith("--j") for word in arguments):
        parser.error("--json names the file of one verb")
    worst = 0
    for verb in verbs:
        if len(verbs) > 1:
            print(f"\n== {verb}", flush=True)
        worst = max(worst, int(importlib.import_module(VERBS[verb]).main(arguments)))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
