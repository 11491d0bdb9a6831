"""The page of findings knows every check that there is, and which ones are fixed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ringlog.doctor
from ringlog.doctor import fixing, readers
from ringlog.doctor.leftovers import KINDS

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs/doctor.md"


def checks() -> set[str]:
    """Those that are named where a Finding is made, and those of tables."""
    names = {check for check, _ in readers._SEVERITIES.values()} | set(KINDS)
    for file in Path(ringlog.doctor.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                names |= {
                    one.value
                    for one in ast.walk(node.args[1])
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return names


@pytest.mark.skipif(not PAGE.exists(), reason="the tests are not beside the documentation")
def test_the_page_of_findings() -> None:
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    on_page = {name: bool(row[3].strip()) for row in rows for name in re.findall(r"`([a-z-]+)`", row[1])}
    assert set(on_page) == checks()
    assert {name for name, fixed in on_page.items() if fixed} == set(fixing._MAKERS)
