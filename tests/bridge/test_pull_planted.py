"""pull, from a shelf on which messages lie in any order, and some of them twice."""

from __future__ import annotations

import pytest
from copies import end_mark, events, fill, held, message, number, numbers, same, until
from shelf import Shelf

import ringlog
from ringlog.bridge import pull, push
from ringlog.bridge.errors import Interrupted
from ringlog.bridge.message import Message


def test_a_copy_is_the_same_stream(ring_path: str) -> None:
    fill(ring_path, map(number, range(1000)))
    shelf, copy = Shelf(), f"{ring_path}-copy"
    push(ring_path, shelf)
    figures = pull(copy, shelf)
    same(ring_path, copy)
    assert (figures.state, figures.events, figures.sequence) == ("ended", 1000, 1000)
    assert (figures.gaps, figures.missing, figures.duplicates) == (0, 0, 0)
    assert shelf.done == len(shelf.messages)


def test_its_file_is_another(ring_path: str) -> None:
    fill(ring_path, [b"x"])
    shelf, copy = Shelf(), f"{ring_path}-copy"
    push(ring_path, shelf)
    pull(copy, shelf)
    with open(ring_path, "rb") as one, open(copy, "rb") as other:
        assert one.read(160)[144:] != other.read(160)[144:]


def test_a_copy_can_be_sent_on(ring_path: str) -> None:
    fill(ring_path, map(number, range(300)))
    first, second = Shelf(), Shelf()
    push(ring_path, first)
    pull(f"{ring_path}-a", first)
    push(f"{ring_path}-a", second)
    pull(f"{ring_path}-b", second)
    same(ring_path, f"{ring_path}-b")


def test_again_appends_nothing(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), numbers(10, 20), end_mark(20)])
    pull(ring_path, shelf)
    assert pull(ring_path, shelf).events == 0
    held(ring_path, 0, 20)


def test_it_goes_on_where_the_ring_is(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), numbers(10, 20)])
    pull(ring_path, shelf, stop=until(ring_path, 20))
    shelf.messages += [numbers(20, 30), end_mark(30)]
    pull(ring_path, shelf)
    held(ring_path, 0, 30)
    assert shelf.sought[-1] == 19  # the newest event, to compare


@pytest.mark.parametrize(
    "again",
    [numbers(0, 10), numbers(5, 10), numbers(3, 13), numbers(9, 11), numbers(0, 40)],
    ids=["all", "the second half", "overlapping", "by one", "everything"],
)
def test_what_comes_twice_is_there_once(ring_path: str, again: Message) -> None:
    """Behind the duplicate window of a server: only sequences tell."""
    end = max(20, again.header.next)
    shelf = Shelf([numbers(0, 10), again, numbers(10, 20), *([end_mark(end)])])
    figures = pull(ring_path, shelf)
    held(ring_path, 0, end)
    assert figures.duplicates == sum(each.header.count for each in shelf.messages) - end


def test_what_comes_out_of_order_is_sought(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), numbers(10, 20), numbers(20, 30), end_mark(30)], odd={1: numbers(20, 30)})
    figures = pull(ring_path, shelf)
    held(ring_path, 0, 30)
    assert figures.gaps == 0
    assert shelf.sought == [0, 10]


def test_a_message_larger_than_half_the_ring(ring_path: str) -> None:
    items = [bytes([k]) * 1000 for k in range(200)]
    shelf = Shelf([message(0, items), end_mark(200)])
    pull(ring_path, shelf, capacity=64 << 10)
    here = events(ring_path)
    assert here[-1][0] == 199
    assert [data for _, _, data in here] == items[here[0][0] :]
    assert ringlog.verify(ring_path).ok


def test_an_event_larger_than_half_the_ring(ring_path: str) -> None:
    with pytest.raises(ringlog.EventTooLarge):
        pull(ring_path, Shelf([message(0, [b"x" * 40000])]), capacity=64 << 10)


def test_interruptions(ring_path: str) -> None:
    shelf = Shelf([numbers(k, k + 5) for k in range(0, 50, 5)] + [end_mark(50)])
    shelf.interrupts = [Interrupted("planted"), Interrupted("planted")]
    pull(ring_path, shelf)
    held(ring_path, 0, 50)
    assert len(shelf.sought) == 3


def test_the_end_and_what_comes_behind_it(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), end_mark(10), numbers(10, 20), end_mark(20)])
    assert pull(ring_path, shelf).state == "ended"
    held(ring_path, 0, 20)
    assert ringlog.info(ring_path).ended


def test_an_ended_copy_goes_on(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), end_mark(10)])
    pull(ring_path, shelf)
    assert ringlog.info(ring_path).ended
    shelf.messages += [numbers(10, 20), end_mark(20)]
    pull(ring_path, shelf)
    held(ring_path, 0, 20)


def test_a_log_is_pulled_into_a_ring(ring_path: str) -> None:
    log, shelf, copy = f"{ring_path}.log", Shelf(), f"{ring_path}-copy"
    fill(ring_path, map(number, range(100)))
    ringlog.record(ring_path, log)
    push(log, shelf, follow=False)
    pull(copy, shelf, stop=until(copy, 100))
    assert events(copy) == events(ring_path)
    assert ringlog.info(copy).start_timestamp == ringlog.info(ring_path).start_timestamp
    push(ring_path, shelf)  # the ring itself goes on from there: the same stream
    assert pull(copy, shelf).state == "ended"


def test_another_capacity_than_the_rings(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10), end_mark(10)])
    pull(ring_path, shelf, capacity=64 << 10)
    with pytest.raises(ValueError, match="capacity of 65536"):
        pull(ring_path, shelf, capacity=128 << 10)
