"""The command line: ``ringlog VERB``; the verbs are listed in app.py.

What it needs comes with an extra, so this module imports nothing of it: with the base install alone,
``ringlog`` says in one line what is missing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default the one in ``sys.argv``, and return its exit code."""
    missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write("ringlog: the command line is not installed: pip install 'ringlog[cli]'\n")
        return 2
    try:
        from ringlog.cli.app import run
    except KeyboardInterrupt:  # nothing has begun
        return 130

    return run(sys.argv[1:] if arguments is None else list(arguments))
