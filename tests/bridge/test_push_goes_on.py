"""push, where something is kept already: of its stream, of another, less than it was, or nothing any more."""

from __future__ import annotations

import pytest
from copies import end_mark, fill, number, numbers, record, stream_of
from shelf import Shelf, chain, sent

import ringlog
from ringlog.bridge import OtherStream, push
from ringlog.bridge.errors import Interrupted
from ringlog.bridge.message import Message


def test_what_the_server_lost_is_sent_again(ring_path: str) -> None:
    fill(ring_path, map(number, range(200)), end=False)
    shelf = Shelf(limit=1024)
    push(ring_path, shelf, stop=lambda: shelf.events() == 200)
    del shelf.messages[2:]  # a server that was set back
    fill(ring_path, [number(200)])
    push(ring_path, shelf)
    chain(shelf, 201)


def test_an_emptied_server_goes_on_at_the_cursor(ring_path: str) -> None:
    fill(ring_path, map(number, range(100)), end=False)
    shelf = Shelf()
    push(ring_path, shelf, stop=lambda: shelf.events() == 100)
    shelf.messages.clear()
    fill(ring_path, map(number, range(100, 110)))
    push(ring_path, shelf)
    assert sent(shelf) == [(100, 110), (110, 110)]


def test_emptied_while_it_runs_it_goes_on_at_the_cursor(ring_path: str) -> None:
    log, shelf = f"{ring_path}.log", Shelf()
    fill(ring_path, map(number, range(100)), end=False)
    record(ring_path, log)

    def more() -> bool:
        if shelf.events() == 100:
            shelf.messages.clear()
            fill(ring_path, map(number, range(100, 110)))
        return False

    def fails(_message: Message) -> None:
        if shelf.resumed == 1 and ringlog.info(ring_path).ended:  # it notices by the next message
            raise Interrupted("planted")

    shelf.fails = fails
    push(ring_path, shelf, log=log, stop=more)
    assert shelf.resumed == 2
    assert sent(shelf) == [(100, 110), (110, 110)]


@pytest.mark.parametrize("of", ["a new name", "a ring and its log", "a log"])
def test_how_an_emptied_server_is_filled_again(ring_path: str, of: str) -> None:
    log, shelf = f"{ring_path}.log", Shelf()
    fill(ring_path, map(number, range(100)))
    record(ring_path, log)
    push(ring_path, shelf)
    shelf.messages.clear()
    if of == "a new name":
        push(ring_path, shelf, name="again")
    elif of == "a ring and its log":
        push(ring_path, shelf, log=log)
    else:
        push(log, shelf, follow=False)
    chain(shelf, 100, ended=of != "a log")


def test_the_server_knows_more_than_the_cursor(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    stream = stream_of(ring_path)
    shelf = Shelf(messages=[numbers(0, 20, stream)])
    push(ring_path, shelf)
    assert sent(shelf) == [(0, 20), (20, 50), (50, 50)]


def test_a_server_ahead_of_the_ring_is_another_streams(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    with pytest.raises(OtherStream, match="up to event 59"):
        push(ring_path, Shelf(messages=[numbers(0, 60, stream_of(ring_path))]))


def test_another_stream_is_not_mixed_in(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    shelf = Shelf(messages=[numbers(0, 20)])
    with pytest.raises(OtherStream, match="Use another subject"):
        push(ring_path, shelf)
    assert len(shelf.messages) == 1


def test_another_stream_replaces_if_it_is_to(ring_path: str) -> None:
    fill(ring_path, map(number, range(50)))
    shelf = Shelf(messages=[numbers(0, 20), end_mark(20)])
    push(ring_path, shelf, new_stream="replace")
    assert sent(shelf)[2:] == [(0, 50), (50, 50)]


def test_what_a_ring_has_lost_is_a_gap(ring_path: str) -> None:
    items = [number(k) * 8 for k in range(3000)]
    fill(ring_path, items, capacity=64 << 10)
    oldest = ringlog.info(ring_path).tail_count
    assert oldest > 5
    shelf, said = Shelf(messages=[numbers(0, 5, stream_of(ring_path))]), []
    figures = push(ring_path, shelf, notice=said.append)
    assert sent(shelf)[1][0] == oldest
    assert (figures.gaps, figures.missing) == (1, oldest - 5)
    assert said == [f"events 5 to {oldest - 1} are gone: they can't be sent"]
