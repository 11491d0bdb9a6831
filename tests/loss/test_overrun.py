"""G2: every gap is reported, once, with exactly the events that are missing."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from oracle import decode

import ringlog

SIZE = 1000 - 16  # 65 events of these fit into the smallest ring


def fill(writer: ringlog.Writer, count: int) -> None:
    for _ in range(count):
        sequence = ringlog.info(writer_path(writer)).event_count
        writer.append(b"%06d" % sequence + bytes(SIZE - 6))


def writer_path(writer: ringlog.Writer) -> str:
    path: str = writer.__reduce__()[1][1]
    return path


@pytest.fixture
def writer(ring_path: str) -> ringlog.Writer:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        yield writer


READS: list[Callable[[ringlog.Reader], object]] = [
    lambda reader: reader.poll(),
    lambda reader: reader.read(1),
    lambda reader: reader.read(),
    lambda reader: reader.read_many(),
    lambda reader: reader.read_many(10, 1),
    lambda reader: next(reader),
    lambda reader: list(reader),
]


@pytest.mark.parametrize("read", READS)
def test_the_loss_is_told_exactly(
    ring_path: str, writer: ringlog.Writer, read: Callable[[ringlog.Reader], object]
) -> None:
    with ringlog.Reader(ring_path) as reader:
        fill(writer, 300)
        oldest = decode(ring_path)[0].sequence
        with pytest.raises(ringlog.Overrun) as caught:
            read(reader)
        assert (caught.value.first, caught.value.last, caught.value.count) == (0, oldest - 1, oldest)
        assert reader.sequence == oldest
        assert reader.lost == oldest
        assert reader.lag == 300 - oldest
        assert reader.read_many(1000) == decode(ring_path)
        assert reader.lost == oldest


def test_one_lost_event_is_one(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 1)
    with ringlog.Reader(ring_path, start=0) as reader:
        while ringlog.info(ring_path).tail_count < 1:
            fill(writer, 1)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
    tail = ringlog.info(ring_path).tail_count
    assert (caught.value.first, caught.value.last, caught.value.count) == (0, tail - 1, tail)


def test_what_was_read_before_is_not_lost(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        fill(writer, 40)
        assert len(reader.read_many(25)) == 25
        fill(writer, 200)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read_many()
        assert caught.value.first == 25
        assert caught.value.last + 1 == ringlog.info(ring_path).tail_count


def test_losses_add_up(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        total, following = 0, 0
        for _ in range(5):
            fill(writer, 150)
            with pytest.raises(ringlog.Overrun) as caught:
                reader.poll()
            assert caught.value.first == following
            total += caught.value.count
            assert reader.lost == total
            events = reader.read_many(10)
            assert [event.sequence for event in events] == list(
                range(caught.value.last + 1, caught.value.last + 11)
            )
            following = events[-1].sequence + 1


@pytest.mark.parametrize("read", READS[:6])
def test_skip_counts_and_goes_on(
    ring_path: str, writer: ringlog.Writer, read: Callable[[ringlog.Reader], object]
) -> None:
    with ringlog.Reader(ring_path, on_overrun="skip") as reader:
        fill(writer, 300)
        tail = ringlog.info(ring_path).tail_count
        got = read(reader)
        first = got[0] if isinstance(got, list) else got
        assert isinstance(first, ringlog.Event)
        assert first.sequence == tail == reader.lost


def test_skip_over_several_laps(ring_path: str, writer: ringlog.Writer) -> None:
    seen = 0
    with ringlog.Reader(ring_path, on_overrun="skip") as reader:
        for _ in range(4):
            fill(writer, 200)
            seen += len(reader.read_many(10_000))
        assert seen + reader.lost == 800


def test_what_was_whole_comes_before_the_loss(ring_path: str, writer: ringlog.Writer) -> None:
    """Events that were returned stay returned; what went wrong behind them is the next call's."""
    with ringlog.Reader(ring_path) as reader:
        fill(writer, 10)
        assert len(reader.read_many(1000)) == 10
        fill(writer, 100)
        with pytest.raises(ringlog.Overrun):
            reader.read_many(1000)


def test_a_sequence_that_is_gone_is_lost_from_there_on(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 300)
    tail = ringlog.info(ring_path).tail_count
    for start in (0, 7, tail - 1):
        with ringlog.Reader(ring_path, start=start) as reader:
            assert reader.lost == 0  # it is told at the first read, not when it is opened
            with pytest.raises(ringlog.Overrun) as caught:
                reader.poll()
            assert (caught.value.first, caught.value.last) == (start, tail - 1)
            assert reader.read_many(1)[0].sequence == tail
            assert reader.lost == tail - start


def test_a_sequence_that_is_gone_and_then_more_is_one_loss(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 300)
    with ringlog.Reader(ring_path, start=5) as reader:
        fill(writer, 100)
        tail = ringlog.info(ring_path).tail_count
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read()
        assert (caught.value.first, caught.value.last) == (5, tail - 1)
        assert reader.poll().sequence == tail


def test_seeking_away_from_a_loss_forgets_it(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 300)
    with ringlog.Reader(ring_path, start=5) as reader:
        reader.seek("oldest")
        assert reader.poll().sequence == ringlog.info(ring_path).tail_count
        assert reader.lost == 0


@pytest.mark.parametrize("start", ["oldest", "latest"])
def test_oldest_and_latest_lose_nothing(ring_path: str, writer: ringlog.Writer, start: str) -> None:
    fill(writer, 300)
    seen = ringlog.info(ring_path)
    with ringlog.Reader(ring_path, start=start) as reader:
        assert reader.sequence == (seen.tail_count if start == "oldest" else 300)
        assert reader.lag == 300 - reader.sequence
        assert len(reader.read_many(1000)) == 300 - (seen.tail_count if start == "oldest" else 300)
        assert reader.lost == 0


@pytest.mark.parametrize("beyond", [1, 2, 1 << 40, 1 << 70])
def test_a_sequence_beyond_the_next_is_a_value_error(
    ring_path: str, writer: ringlog.Writer, beyond: int
) -> None:
    fill(writer, 3)
    with pytest.raises(ValueError, match=f"{3 + beyond}"):
        ringlog.Reader(ring_path, start=3 + beyond)
    with ringlog.Reader(ring_path, start=3) as reader:  # the next event itself can be asked for
        with pytest.raises(ValueError, match=f"{3 + beyond}"):
            reader.seek(3 + beyond)
        assert reader.sequence == 3
        assert reader.poll() is None
        fill(writer, 1)
        assert reader.poll().sequence == 3


def test_an_overrun_says_what_it_is() -> None:
    overrun = ringlog.Overrun(3, 7)
    assert (overrun.first, overrun.last, overrun.count) == (3, 7, 5)
    assert str(overrun) == "5 events lost: sequences 3 to 7 were overwritten unread"
    assert str(ringlog.Overrun(3, 3)).startswith("1 event lost")
    again = pickle.loads(pickle.dumps(overrun))
    assert (type(again), again.first, again.last, again.count) == (ringlog.Overrun, 3, 7, 5)
