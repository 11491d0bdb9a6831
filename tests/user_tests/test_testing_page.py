"""docs/howto/testing.md: its examples, in their order, as one test module."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest_plugins = "pytester"
pytestmark = pytest.mark.once
PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "testing.md"
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # pytester moves the home directory


def test_the_examples_hold(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    pytester.makepyfile("\n\n".join(blocks))
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error").assert_outcomes(passed=4)
