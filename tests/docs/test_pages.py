"""Every page of the documentation says what is so: its blocks are run, and print what the page says."""

from __future__ import annotations

import ast
import doctest
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from page_blocks import DOCS, Block, blocks, pages_that_run
from page_terminal import Terminal
from processes import GENEROUS

import ringlog

pytestmark = pytest.mark.once
HERE = Path(__file__).parent
LONG = 3 * GENEROUS  # seconds for all the python blocks of one page
Here = Callable[[str], str]
PACKAGES = {"zmq": "pyzmq"}


@pytest.fixture
def environment() -> dict[str, str]:
    """For what a page starts: this Python, this ringlog, and warnings are errors."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(ringlog.__file__).parents[1]),
        "PYTHONWARNINGS": "error",
        "PYTHONUNBUFFERED": "",  # a printed line is then one write, also among several processes
    }


@pytest.mark.parametrize("page", pages_that_run())
def test_a_page_says_what_is_so(
    page: str, ring_folder: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    found = blocks(DOCS / page)
    for module, package in PACKAGES.items():
        if any(re.search(rf"^import {module}\b", block.text, re.M) for block in found):
            pytest.importorskip(module, reason=f"{page} is about {package}")

    def here(text: str) -> str:
        """The page's places are the machine's own; the test has others."""
        return text.replace("/dev/shm/", f"{ring_folder}/").replace("/var/log/", f"{tmp_path}/log-")

    for block in found:
        if block.language == "python" and block.title:
            (tmp_path / block.title).write_text(here(block.text))
    _run_python(page, found, here, tmp_path, environment)
    _type_into_terminals(found, here, tmp_path, environment)


def _run_python(page: str, found: list[Block], here: Here, folder: Path, environment: dict[str, str]) -> None:
    said_to_print: list[tuple[Block, str]] = []
    for block in found:
        if block.language == "python" and not block.title:
            said_to_print.append((block, ""))
        elif block.language == "text" and block.follows and said_to_print:
            said_to_print[-1] = said_to_print[-1][0], block.text
    if not said_to_print:
        return
    work = [[f"docs/{page}", block.line, here(block.text)] for block, _ in said_to_print]
    done = subprocess.run(
        [sys.executable, HERE / "page_session.py"],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=LONG,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    same = doctest.OutputChecker().check_output
    for (block, wanted), line in zip(said_to_print, done.stdout.splitlines(), strict=True):
        got = json.loads(line)
        assert same(here(wanted), got, doctest.ELLIPSIS), (
            f"docs/{page}, line {block.line} prints\n{got}and not\n{here(wanted)}"
        )


def _type_into_terminals(found: list[Block], here: Here, folder: Path, environment: dict[str, str]) -> None:
    terminals: dict[str, Terminal] = {}
    try:
        for block in found:
            if block.language == "console":
                if block.title not in terminals:
                    terminals[block.title] = Terminal(folder, environment)
                terminals[block.title].follow(here(block.text))
        for terminal in terminals.values():
            terminal.come_to_rest()
    finally:
        for terminal in terminals.values():
            terminal.close()


def test_fragments_are_python() -> None:
    """Those of the README, too: `camera.readinto(view)` can't be run here."""
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md", *(DOCS.parent / "demos").glob("*.md")]
    if not DOCS.is_dir():
        pytest.skip("no docs here: the tests stand alone")
    found = [
        (page, block)
        for page in pages
        if page.exists()
        for block in blocks(page)
        if block.language in ("py", "python")
    ]
    assert len(found) > 40
    for page, block in found:
        source = "\n" * (block.line - 1) + textwrap.dedent(block.text)
        compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def test_there_are_pages() -> None:
    """The parametrized test above would pass without a single page."""
    if not DOCS.is_dir():
        pytest.skip("no docs here: the tests stand alone")
    assert {"tutorial.md", "migration/queue.md", "migration/pyzmq.md"} <= set(pages_that_run())
