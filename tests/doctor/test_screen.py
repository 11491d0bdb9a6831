"""The page that shows what doctor looks like is what it looks like; and it fits into 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_screen import SCREEN, WIDTH, rings, screen, settled, shown

pytestmark = pytest.mark.once


@pytest.mark.skipif(not SCREEN.exists(), reason="the tests are not beside the documentation")
def test_the_page(ring_folder: Path, tmp_path: Path) -> None:
    """If it is another one by intent: python tests/doctor/doctor_screen.py"""
    assert screen(ring_folder, tmp_path) == SCREEN.read_text()


def test_a_narrow_terminal(ring_folder: Path) -> None:
    with rings(ring_folder) as pids:
        text = shown(WIDTH, str(ring_folder))
    assert max(map(len, text.splitlines())) <= WIDTH
    one_line = settled(" ".join(text.split()), ring_folder, pids)
    for words in (
        "/dev/shm/healthy: nothing wrong writer pid 4101: idle;",
        "reader 'charts', pid 4103: slow;",
        "problem (stopped-reader): reader 'alerts', pid 4105 (python, stopped) is lossless:",
        "continue it: kill -CONT 4105; or end it: ringlog evict /dev/shm/stopped --reader alerts",
        "note (dead-owner): the write lock was left by pid 4106, which is dead;",
    ):
        assert words in one_line
