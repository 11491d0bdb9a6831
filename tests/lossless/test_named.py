"""Named readers: event k is finished when k+1 is asked for, by commit(), or by leaving the block."""

from __future__ import annotations

import pytest
from lossless_support import opened, resumes_at
from oracle import RingFile

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    """A ring with events 0 to 9."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"%d" % k for k in range(10)])
    return ring_path


# ---- finished ----


def test_the_last_event_is_not_finished(ring: str) -> None:
    reader = opened(ring)
    for k in range(3):
        assert reader.poll().sequence == k
    reader.close()
    assert resumes_at(ring) == 2
    assert resumes_at(ring) == 2  # opening and closing finishes nothing


def test_nothing_was_read(ring: str) -> None:
    opened(ring).close()
    assert resumes_at(ring) == 0


@pytest.mark.parametrize("ask", ["poll", "read", "read_many", "iterate"])
def test_asking_for_the_next_finishes_the_last(ring: str, ask: str) -> None:
    reader = opened(ring)
    if ask == "poll":
        assert reader.poll().sequence == 0
        assert reader.poll().sequence == 1
    elif ask == "read":
        assert reader.read().sequence == 0
        assert reader.read(1).sequence == 1
    elif ask == "read_many":
        assert len(reader.read_many(1)) == 1
        assert len(reader.read_many(5)) == 5
    else:
        for event in reader:
            if event.sequence == 1:
                break
    reader.close()
    assert resumes_at(ring) == 1


@pytest.mark.parametrize("ask", ["poll", "read", "read_many"])
def test_asking_in_vain_finishes_too(ring: str, ask: str) -> None:
    reader = opened(ring)
    assert len(reader.read_many()) == 10
    if ask == "poll":
        assert reader.poll() is None
    elif ask == "read":
        with pytest.raises(TimeoutError):
            reader.read(0)
    else:
        assert reader.read_many() == []
    reader.close()
    assert resumes_at(ring) == 10


def test_all_of_a_list_is_finished_together(ring: str) -> None:
    reader = opened(ring)
    reader.read_many(4)
    assert ringlog.info(ring).readers[0].sequence == 0
    reader.read_many(3)
    assert ringlog.info(ring).readers[0].sequence == 4
    reader.close()
    assert resumes_at(ring) == 4


def test_commit_finishes(ring: str) -> None:
    reader = opened(ring)
    reader.read_many(4)
    reader.commit()
    assert ringlog.info(ring).readers[0].sequence == 4
    reader.poll()
    reader.close()
    assert resumes_at(ring) == 4


def test_leaving_the_block_finishes(ring: str) -> None:
    with opened(ring) as reader:
        for event in reader:
            if event.sequence == 5:
                break
    assert resumes_at(ring) == 6


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_leaving_it_by_an_exception_does_not(ring: str, error: type[BaseException]) -> None:
    def work() -> None:
        with opened(ring) as reader:
            for event in reader:
                if event.sequence == 5:
                    raise error

    with pytest.raises(error):
        work()
    assert resumes_at(ring) == 5


def test_closing_inside_the_block_does_not(ring: str) -> None:
    with opened(ring) as reader:
        reader.read_many(3)
        reader.close()
    assert resumes_at(ring) == 0


def test_a_corrupt_event_is_not_finished_by_trying(ring: str) -> None:
    with RingFile(ring) as file:
        place = file.places()[4]
        file.write(place.position + 16, b"!")
    reader = opened(ring)
    assert len(reader.read_many()) == 4
    for _ in range(2):
        with pytest.raises(ringlog.CorruptStream):
            reader.poll()
    reader.close()
    assert resumes_at(ring) == 4


def test_seeking_moves_the_cursor(ring: str) -> None:
    reader = opened(ring)
    reader.read_many(5)
    reader.seek(8)
    reader.close()
    assert resumes_at(ring) == 8


def test_start_counts_only_for_a_new_name(ring: str) -> None:
    ringlog.Reader(ring, name="n", start=3).close()
    for start in ("oldest", "latest", 0, 7):
        reader = ringlog.Reader(ring, name="n", start=start)
        assert reader.sequence == 3
        reader.close()


def test_unnamed_lossless_readers_finish_at_once(ring: str) -> None:
    with ringlog.Reader(ring, start="oldest", lossless=True) as reader:
        reader.poll()
        assert ringlog.info(ring).readers[0].sequence == 1
        reader.read_many(4)
        assert ringlog.info(ring).readers[0].sequence == 5
        reader.commit()  # does nothing
