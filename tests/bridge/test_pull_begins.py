"""Where pull begins, and what it does about events that are not there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from copies import end_mark, fill, held, numbers, until
from processes import Child
from shelf import Shelf

import ringlog
from ringlog.bridge import pull
from ringlog.bridge.target import Target


def test_a_gap_is_a_gap(ring_path: str) -> None:
    shelf, said = Shelf([numbers(0, 10), numbers(15, 20), numbers(40, 50), end_mark(50)]), []
    seen: list[object] = []
    fill(f"{ring_path}-unused", [])

    def read() -> None:
        with ringlog.Reader(ring_path, start=0, lossless=True, open_timeout=20) as reader:
            while True:
                try:
                    seen.append(reader.read(timeout=20).sequence)
                except ringlog.Overrun as lost:
                    seen.append((lost.first, lost.last))
                except ringlog.StreamEnded:
                    return

    reading = threading.Thread(target=read)
    shelf.messages, later = shelf.messages[:1], shelf.messages[1:]
    reading.start()
    pull(ring_path, shelf, stop=lambda: len(seen) == 10)
    shelf.messages += later
    figures = pull(ring_path, shelf, notice=said.append)
    reading.join(20)
    assert seen == [*range(10), (10, 14), *range(15, 20), (20, 39), *range(40, 50)]
    assert (figures.gaps, figures.missing) == (2, 25)
    assert said == [
        "events 10 to 14 are missing: not kept there any more",
        "events 20 to 39 are missing: not kept there any more",
    ]
    held(ring_path, 40, 50)


def test_a_gap_behind_a_killed_reader(ring_path: str, spawn: Callable[..., Child]) -> None:
    """It is not waited for: nobody would ever read on in its place."""
    pull(ring_path, Shelf([numbers(0, 10)]), stop=until(ring_path, 10))
    child = spawn("r = ringlog.Reader(path, lossless=True, start=5); say('here'); time.sleep(60)", ring_path)
    assert child.line() == "here"
    with contextlib.closing(Target(ring_path)) as target:
        with pytest.raises(ringlog.RingFull, match="has not read what is before it"):
            target.jump(15)
        child.kill()
        target.jump(15)
        assert target.sequence == 15
    pull(ring_path, Shelf([numbers(0, 10), numbers(15, 20), end_mark(20)]))
    held(ring_path, 15, 20)


def test_a_target_that_starts_late(ring_path: str) -> None:
    shelf, said = Shelf([numbers(100, 120), end_mark(120)]), []
    figures = pull(ring_path, shelf, notice=said.append)
    held(ring_path, 100, 120)
    assert figures.gaps == 0
    assert said == ["begins with event 100: the oldest that is kept there"]
    with ringlog.Reader(ring_path, start=0) as reader, pytest.raises(ringlog.Overrun) as lost:
        reader.read(timeout=0)
    assert (lost.value.first, lost.value.last) == (0, 99)


@pytest.mark.parametrize(("start", "first"), [("oldest", 0), (7, 7), (10, 10), (25, 25)])
def test_where_a_new_ring_begins(ring_path: str, start: Any, first: int) -> None:
    shelf = Shelf([numbers(0, 10), numbers(10, 30), end_mark(30)])
    pull(ring_path, shelf, start=start)
    held(ring_path, first, 30)


def test_from_the_latest_on(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10)])
    stop = threading.Event()
    pull(ring_path, shelf, start="latest", stop=until(ring_path, 10))  # it has jumped there
    shelf.messages += [numbers(10, 20), end_mark(20)]
    pull(ring_path, shelf, start="latest", stop=stop)
    held(ring_path, 10, 20)


def test_a_start_counts_only_for_a_new_ring(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10)])
    pull(ring_path, shelf, stop=until(ring_path, 10))
    shelf.messages += [numbers(10, 20), end_mark(20)]
    pull(ring_path, shelf, start=15)
    held(ring_path, 0, 20)


def test_what_is_not_kept_any_more_is_noted(ring_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringlog.bridge.far_end.QUIET", 0.01)
    shelf, ten, notes = Shelf([numbers(0, 10)]), until(ring_path, 10), set[str]()

    def empty() -> bool:
        if ten():
            shelf.messages.clear()
        return "no message is kept there now" in notes

    pull(ring_path, shelf, stop=empty, progress=lambda figures: notes.add(figures.note))
    held(ring_path, 0, 10)


def test_what_is_there_and_does_not_come_is_asked_for(
    ring_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringlog.bridge.far_end.QUIET", 0.05)
    shelf, ten, said = Shelf([numbers(0, 10)]), until(ring_path, 10), []
    shelf.forgets = True

    def more() -> bool:
        if ten() and len(shelf.messages) == 1:
            shelf.messages += [numbers(10, 20), end_mark(20)]
        return False

    pull(ring_path, shelf, stop=more, notice=said.append)
    held(ring_path, 0, 20)
    assert said == ["event 10 is there and does not come: it is asked for again"]


@pytest.mark.parametrize("start", ["newest", -1, True, None, 1.5])
def test_impossible_starts(ring_path: str, start: Any) -> None:
    with pytest.raises(ValueError, match="start"):
        pull(ring_path, Shelf(), start=start)
