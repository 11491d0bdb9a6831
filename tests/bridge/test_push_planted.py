"""push, against a shelf that fails in the moments which a server takes days to find."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from copies import entry, events, fill, number
from processes import Child
from shelf import Shelf, chain, sent

import ringlog
from ringlog.bridge import Figures, MessageTooLarge, push
from ringlog.bridge.errors import Full, Interrupted
from ringlog.bridge.message import Message


def test_all_of_a_stream_and_its_end(ring_path: str) -> None:
    fill(ring_path, map(number, range(1000)))
    shelf = Shelf()
    figures = push(ring_path, shelf)
    chain(shelf, 1000)
    assert figures.state == "ended"
    assert (figures.events, figures.sequence, figures.lag_events, figures.in_flight) == (1000, 1000, 0, 0)
    assert figures.bytes == sum(len(message.data) for message in shelf.messages)
    assert all(len(message.data) <= shelf.limit for message in shelf.messages)
    assert len(shelf.messages) < 20  # runs, not events


def test_again_sends_nothing(ring_path: str) -> None:
    fill(ring_path, map(number, range(100)))
    shelf = Shelf()
    push(ring_path, shelf)
    before = list(shelf.messages)
    assert push(ring_path, shelf).events == 0
    assert shelf.messages == before


def test_behind_an_end_it_goes_on(ring_path: str) -> None:
    fill(ring_path, map(number, range(10)))
    shelf = Shelf()
    push(ring_path, shelf)
    fill(ring_path, map(number, range(10, 20)))
    push(ring_path, shelf)
    chain(shelf, 20)
    assert [each.header.ended for each in shelf.messages].count(True) == 2


def test_an_empty_stream_that_has_ended(ring_path: str) -> None:
    fill(ring_path, [])
    shelf = Shelf()
    push(ring_path, shelf)
    chain(shelf, 0)


@pytest.mark.parametrize("at", [0, 1, 5, 11])
@pytest.mark.parametrize("kept", [False, True], ids=["lost", "kept, and the answer lost"])
def test_interrupted_in_the_middle(ring_path: str, at: int, kept: bool) -> None:
    fill(ring_path, map(number, range(1000)))
    shelf = Shelf(limit=2048)
    seen = []

    def fails(message: Message) -> None:
        seen.append(message)
        if len(seen) == at + 1:
            if kept:
                shelf.messages.append(message)
            raise Interrupted("planted")

    shelf.fails = fails
    push(ring_path, shelf)
    chain(shelf, 1000)
    assert shelf.resumed == 2


def test_interrupted_again_and_again(ring_path: str) -> None:
    fill(ring_path, map(number, range(300)))
    shelf = Shelf(limit=1024)
    rounds = iter(range(1000))

    def fails(_message: Message) -> None:
        if next(rounds) % 3 == 2:
            raise Interrupted("planted")

    shelf.fails = fails
    push(ring_path, shelf)
    chain(shelf, 300)


def test_a_full_server_is_asked_again(ring_path: str) -> None:
    fill(ring_path, map(number, range(100)))
    shelf, refusals, said = Shelf(limit=1024), iter(range(5)), []

    def fails(_message: Message) -> None:
        if next(refusals, None) is not None:
            raise Full("no room there")

    shelf.fails = fails
    figures = push(ring_path, shelf, notice=said.append)
    chain(shelf, 100)
    assert said == ["no room there"]
    assert figures.state == "ended"


def test_the_cursor_moves_only_behind_what_is_kept(ring_path: str) -> None:
    """Killed before the word came: the next one begins there, though the reader was further on."""
    fill(ring_path, map(number, range(1000)), end=False)
    shelf = Shelf(limit=2048)
    stop = threading.Event()

    def fails(_message: Message) -> None:
        if len(shelf.messages) == 3:
            stop.set()
            raise Interrupted("planted")

    shelf.fails = fails
    push(ring_path, shelf, stop=stop)
    reader = next(each for each in ringlog.info(ring_path).readers if each.name == "bridge")
    assert reader.sequence == sent(shelf)[-1][1] == shelf.events()
    assert 0 < reader.sequence < 1000


def test_an_event_larger_than_a_message(ring_path: str) -> None:
    fill(ring_path, [b"small", b"x" * 5000, b"small"])
    shelf = Shelf()
    with pytest.raises(MessageTooLarge, match=r"event 1 has 5016 bytes.*max_payload"):
        push(ring_path, shelf)
    assert sent(shelf) == [(0, 1)]


def test_start_counts_for_a_name_that_is_new(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    shelf = Shelf()
    push(ring_path, shelf, start=30)
    assert sent(shelf)[0] == (30, 50)


def test_a_removed_ring_ends_it(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)), end=False)
    shelf = Shelf()

    def stop() -> bool:
        if shelf.events() == 50 and Path(ring_path).exists():
            ringlog.unlink(ring_path)
        return False

    figures = push(ring_path, shelf, stop=stop)
    assert figures.state == "ended"
    assert "removed" in figures.note


def test_a_second_one_of_that_name(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    with ringlog.Reader(ring_path, name="bridge"), pytest.raises(ringlog.NameInUse):
        push(ring_path, Shelf())


@pytest.mark.parametrize(("linger", "messages"), [(0.0, [(0, 1), (1, 50)]), (0.001, [(0, 50)])])
def test_a_message_that_is_not_full_waits_for_more(
    ring_path: str, linger: float, messages: list[tuple[int, int]]
) -> None:
    shelf, asked = Shelf(), itertools.count()
    fill(ring_path, [number(0)], end=False)
    with ringlog.Writer(ring_path) as writer:

        def more() -> bool:
            """By the second time that it is asked, it has sent the first event, or waits with it."""
            if next(asked) == 1:
                writer.append_many(map(number, range(1, 50)))
            return shelf.events() == 50

        push(ring_path, shelf, linger=linger, stop=more)
    assert sent(shelf) == messages


@pytest.mark.parametrize("linger", [-1, float("nan"), 5])
def test_impossible_lingers(ring_path: str, linger: float) -> None:
    fill(ring_path, [])
    with pytest.raises(ValueError, match="linger"):
        push(ring_path, Shelf(), linger=linger)


def test_events_are_what_they_were(ring_path: str) -> None:
    """The bytes that are sent are those of the ring: times and checksums too."""
    fill(ring_path, [b"", b"x", b"y" * 3000])
    shelf = Shelf()
    push(ring_path, shelf)
    whole = b"".join(entry(data, timestamp) for _, timestamp, data in events(ring_path))
    assert b"".join(message.data for message in shelf.messages) == whole


def test_ctrl_c_though_the_client_swallows_it(ring_path: str, spawn: Callable[..., Child]) -> None:
    """What a client does with a cancellation is its own affair; the one who pressed it wants to leave."""
    fill(ring_path, [b"one"])
    child = spawn(
        """
        import asyncio
        from ringlog.bridge import push
        class Deaf:
            address, connected, reconnects, limit, in_flight = "deaf", True, 0, 4096, 16
            def outlet(self):
                return self
            async def open(self, notice):
                pass
            async def resume(self):
                pass
            async def send(self, message):
                say("sending")
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    await asyncio.sleep(1000)
            async def close(self):
                say("closed")
        try:
            push(path, Deaf())
        except KeyboardInterrupt:
            say("left")
        """,
        ring_path,
    )
    assert child.line() == "sending"
    child.signal(signal.SIGINT)
    assert child.finish() == "closed\nleft\n"


def test_what_never_gets_through_is_said_once(ring_path: str) -> None:
    """A server whose disk was full may refuse each message as out of order until it is started again."""
    shelf, said = Shelf(), []

    def refuse(_message: Message) -> None:
        raise Interrupted("somebody else wrote there")

    fill(ring_path, [b"one"])
    shelf.fails = refuse
    push(ring_path, shelf, notice=said.append, stop=lambda: shelf.resumed > 10)
    assert said == ["nothing gets through: somebody else wrote there"]


def test_a_full_server_that_goes_away(ring_path: str) -> None:
    fill(ring_path, map(number, range(10)))
    shelf, states = Shelf(), []

    def refuse(_message: Message) -> None:
        raise Full("no room there")

    def progress(figures: Figures) -> None:
        if figures.state in ("blocked", "disconnected") and (not states or states[-1] != figures.state):
            states.append(figures.state)
            shelf.connected = figures.state != "blocked"

    shelf.fails = refuse
    push(ring_path, shelf, progress=progress, stop=lambda: len(states) > 2)
    assert states[:3] == ["blocked", "disconnected", "blocked"]


def test_with_nothing_to_send_it_says_that_it_is_not_connected(ring_path: str) -> None:
    fill(ring_path, map(number, range(10)), end=False)
    shelf, states = Shelf(), []

    def progress(figures: Figures) -> None:
        if figures.sequence == 10 and (not states or states[-1] != figures.state):
            states.append(figures.state)
            shelf.connected = figures.state != "running"

    push(ring_path, shelf, progress=progress, stop=lambda: len(states) > 2)
    assert states[:3] == ["running", "disconnected", "running"]
