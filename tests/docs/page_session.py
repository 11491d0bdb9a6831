"""Run the python blocks of a page, in this process, and tell what each printed. Started by the tests:

    python page_session.py < blocks.json    [[name of the page, first line, code], ...]

Lines of JSON come out, one a block: what it printed. A block that raises ends it, with a traceback that
names the page and the line.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import sys


def main() -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for page, line, code in json.load(sys.stdin):
        source = "\n" * (line - 1) + code
        linecache.cache[page] = (len(source), None, source.splitlines(keepends=True), page)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(source, page, "exec"), names)
        print(json.dumps(said.getvalue()), flush=True)


main()
