"""pull waits for the lossless readers of its ring."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from copies import end_mark, message, numbers, until
from shelf import Shelf

import ringlog
from ringlog.bridge import Figures, pull
from ringlog.bridge.errors import Interrupted


def test_a_lossless_reader_is_waited_for(ring_path: str) -> None:
    items = [bytes([k]) * 900 for k in range(200)]
    shelf = Shelf([message(0, items[:30])])
    pull(ring_path, shelf, capacity=64 << 10, stop=until(ring_path, 30))
    shelf.messages += [message(30 * k, items[30 * k : 30 * k + 30]) for k in range(1, 6)]
    shelf.messages += [message(180, items[180:]), end_mark(200)]
    said: list[str] = []
    states: set[str] = set()
    got: list[bytes] = []
    reader = ringlog.Reader(ring_path, start="oldest", name="slow")

    def read() -> None:
        got.extend(event.data for event in reader)

    reading = threading.Thread(target=read)

    def progress(figures: Figures) -> None:
        if figures.state == "blocked" and "blocked" not in states:
            reading.start()  # not before it was said who is in the way
        states.add(figures.state)

    pull(ring_path, shelf, notice=said.append, progress=progress)
    reading.join(20)
    reader.close()
    assert got == items
    assert "slow" in said[0]
    assert "blocked" in states


def blocked(ring_path: str, shelf: Shelf) -> ringlog.Reader:
    """Half a ring that a reader has not read, and more on the shelf than there is room for."""
    items = [bytes([k]) * 900 for k in range(30)]
    shelf.messages.append(message(0, items))
    pull(ring_path, shelf, capacity=64 << 10, stop=until(ring_path, 30))
    shelf.messages += [message(30, items), message(60, items)]
    return ringlog.Reader(ring_path, start="oldest", lossless=True)


async def far_away() -> None:
    await asyncio.sleep(0.15)


@pytest.mark.parametrize("asked", [None, far_away])
def test_its_lag_grows_while_it_is_blocked(
    ring_path: str, monkeypatch: pytest.MonkeyPatch, asked: Callable[[], Awaitable[None]] | None
) -> None:
    monkeypatch.setattr("ringlog.bridge.far_end.MEASURED", 0.01)
    shelf, lags = Shelf(), [0]

    def progress(figures: Figures) -> None:
        if figures.state == "blocked" and figures.lag_events > lags[-1]:
            assert figures.lag_events + figures.sequence <= shelf.events()
            assert figures.lag_seconds > 0
            lags.append(figures.lag_events)
            shelf.messages.append(message(shelf.events(), [b"more"] * 100))

    with blocked(ring_path, shelf):
        shelf.asked = asked
        pull(ring_path, shelf, progress=progress, stop=lambda: len(lags) > 3)
    assert lags[3] >= lags[2] + 100 >= lags[1] + 200


async def no_answer() -> None:
    await asyncio.sleep(1000)


async def no_connection() -> None:
    raise Interrupted("planted")


@pytest.mark.parametrize("asked", [no_answer, no_connection])
def test_who_makes_room_does_not_wait_for_the_server(
    ring_path: str, monkeypatch: pytest.MonkeyPatch, asked: Callable[[], Awaitable[None]]
) -> None:
    monkeypatch.setattr("ringlog.bridge.far_end.MEASURED", 0.01)
    shelf = Shelf()
    with blocked(ring_path, shelf) as reader:

        def progress(figures: Figures) -> None:
            if figures.state == "blocked":
                shelf.asked = asked
                reader.read_many(100)

        pull(ring_path, shelf, progress=progress, stop=until(ring_path, 90))


def test_a_gap_waits_for_a_lossless_reader(ring_path: str) -> None:
    shelf, said = Shelf([numbers(0, 10)]), []
    pull(ring_path, shelf, stop=until(ring_path, 10))
    shelf.messages += [numbers(20, 30), end_mark(30)]
    reader = ringlog.Reader(ring_path, start="oldest", name="slow")
    seen: list[int] = []

    def read() -> None:
        for _ in range(10):
            seen.append(reader.read(timeout=20).sequence)
        with pytest.raises(ringlog.Overrun) as lost:
            reader.read(timeout=20)
        seen.append(lost.value.count)
        seen.extend(event.sequence for event in reader)

    reading = threading.Thread(target=read)

    def notice(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            reading.start()

    pull(ring_path, shelf, notice=notice)
    reading.join(20)
    reader.close()
    assert seen == [*range(10), 10, *range(20, 30)]
    assert "'slow' has not read what is before it" in said[0]
