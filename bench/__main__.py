"""``python -m bench VERB``: run one benchmark; without a verb, list them and the questions they answer."""

from __future__ import annotations

import argparse
import importlib
import sys

# A verb's module has a docstring whose first line is its question, and `main(arguments) -> exit code`.
VERBS = {
    "seed": "bench.seed",
    "floor": "bench.floor",
    "one_to_one": "bench.one_to_one",
}


def question(module: str) -> str:
    """The one question that a benchmark answers: the first line of its docstring."""
    try:
        lines = (importlib.import_module(module).__doc__ or "").strip().splitlines()
    except ImportError as error:
        return f"(can't be loaded: {error})"
    return lines[0] if lines else "(asks nothing)"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="ringlog's benchmarks. `python -m bench VERB --help` tells more."
    )
    parser.add_argument("verb", nargs="?", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the verb's own arguments")
    given = parser.parse_args(argv)
    if given.verb is None:
        width = max(map(len, VERBS))
        for verb, module in VERBS.items():
            print(f"{verb:<{width}}  {question(module)}")
        return 0
    code = importlib.import_module(VERBS[given.verb]).main(given.arguments)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
