"""Named readers: event k is finished when k+1 is asked for, by commit(), or by leaving the block."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from oracle import NAMED, SLOT_PARKED, RingFile
from processes import Child

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    """A ring with events 0 to 9."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"%d" % k for k in range(10)])
    return ring_path


def opened(path: str, name: str = "n", **options: object) -> ringlog.Reader:
    return ringlog.Reader(path, name=name, start="oldest", **options)


def resumes_at(path: str, name: str = "n") -> int:
    """Where the next reader of this name begins; it asks for nothing itself."""
    reader = ringlog.Reader(path, name=name)
    sequence = reader.sequence
    reader.close()
    return sequence


def lap(path: str) -> int:
    """Write until everything that was there is gone; the oldest sequence then."""
    before = ringlog.info(path).event_count
    with ringlog.Writer(path, timeout=5) as writer:
        while ringlog.info(path).tail_count <= before:
            writer.append(bytes(1000))
    return ringlog.info(path).tail_count


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


# ---- names ----


def test_several_names_go_their_own_ways(ring: str) -> None:
    for k, name in enumerate(["a", "b", "ü" * 31, "x" * 63]):
        with opened(ring, name) as reader:
            reader.read_many(2 * k + 1)
    for k, name in enumerate(["a", "b", "ü" * 31, "x" * 63]):
        assert resumes_at(ring, name) == 2 * k + 1
    assert [reader.name for reader in ringlog.info(ring).readers] == ["a", "b", "ü" * 31, "x" * 63]


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32])
def test_a_name_has_1_to_63_bytes(ring: str, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 63"):
        ringlog.Reader(ring, name=name)


def test_a_live_name_is_in_use(ring: str, spawn: Callable[..., Child]) -> None:
    with opened(ring) as reader:
        with pytest.raises(ringlog.NameInUse, match=rf"'n' is in use by pid {reader._pid}"):
            opened(ring)
        with pytest.raises(ringlog.NameInUse, match="'n'"):
            ringlog.forget(ring, "n")
        opened(ring, "m").close()
        assert reader.poll().sequence == 0
    child = spawn("with ringlog.Reader(path, name='n'): say('attached'); sys.stdin.readline()", ring)
    child.line()
    with pytest.raises(ringlog.NameInUse, match=f"pid {child.pid}"):
        opened(ring)
    child.tell()
    child.finish()
    assert resumes_at(ring) == 1  # event 0 was finished when the block was left


def test_forget(ring: str) -> None:
    with opened(ring) as reader:
        reader.read_many(5)
    ringlog.forget(ring, "n")
    assert ringlog.info(ring).readers == ()
    with pytest.raises(KeyError, match="n"):
        ringlog.forget(ring, "n")
    assert resumes_at(ring) == 10  # a new name: the latest


def test_kept_names_take_up_slots(ring_path: str) -> None:
    ringlog.create(ring_path, 65536, max_readers=2)
    opened(ring_path, "a").close()
    opened(ring_path, "b").close()
    for options in ({"name": "c"}, {"lossless": True}):
        with pytest.raises(ringlog.TooManyReaders):
            ringlog.Reader(ring_path, **options)
    opened(ring_path, "a").close()
    ringlog.forget(ring_path, "b")
    opened(ring_path, "c").close()


# ---- gone, and back ----


def test_a_name_without_a_reader_holds_nobody_up_and_loses_exactly(ring: str) -> None:
    with opened(ring) as reader:
        reader.read_many(5)
    tail = lap(ring)
    with ringlog.Reader(ring, name="n") as reader:
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last, caught.value.count) == (5, tail - 1, tail - 5)
        assert [event.sequence for event in reader.read_many(3)] == [tail, tail + 1, tail + 2]
        assert reader.lost == tail - 5
    assert resumes_at(ring) == tail + 3


def test_a_loss_is_not_forgotten_by_opening_and_closing(ring: str) -> None:
    """Nobody was told about it yet, so the next reader of the name is."""
    with opened(ring) as reader:
        reader.read_many(5)
    tail = lap(ring)
    ringlog.Reader(ring, name="n").close()
    with ringlog.Reader(ring, name="n") as reader:
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (5, tail - 1)


def test_skip_counts_for_a_name_too(ring: str) -> None:
    opened(ring).close()
    tail = lap(ring)
    with ringlog.Reader(ring, name="n", on_overrun="skip") as reader:
        assert reader.poll().sequence == tail
        assert reader.lost == tail


def test_a_killed_named_reader_resumes_at_least_once(ring: str, spawn: Callable[..., Child]) -> None:
    code = """
        with ringlog.Reader(path, name="n", start="oldest") as reader:
            for event in reader:
                say(event.sequence)
                sys.stdin.readline()
        """
    child = spawn(code, ring)
    assert [child.line() for _ in "0123" if not child.tell()] == ["0", "1", "2", "3"]
    child.line()  # it has event 4 in hand
    child.kill()
    with RingFile(ring) as file:
        slot = next(file.reader_slots())
        assert (slot.name, slot.flags & NAMED, slot.sequence) == (b"n", NAMED, 4)
    assert ringlog.info(ring).readers[0].state == "dead"
    again = spawn(code, ring)
    assert again.line() == "4"
    again.kill()
    tail = lap(ring)  # and the dead one holds nobody up
    with RingFile(ring) as file:
        assert next(file.reader_slots()).status == SLOT_PARKED
    with ringlog.Reader(ring, name="n") as reader:
        with pytest.raises(ringlog.Overrun) as caught:
            reader.read()
        assert (caught.value.first, caught.value.last) == (4, tail - 1)


def test_a_name_survives_a_reader_killed_again_and_again(ring: str, spawn: Callable[..., Child]) -> None:
    code = """
        reader = ringlog.Reader(path, name="n", start="oldest")
        say(reader.poll().sequence)
        reader.commit()
        os.kill(os.getpid(), signal.SIGKILL)
        """
    for k in range(4):
        child = spawn(code, ring)
        assert child.line() == str(k)
        child.process.wait(20)
    assert resumes_at(ring) == 4
