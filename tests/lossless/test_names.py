"""Names: who has one, and what becomes of it when its reader is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lossless_support import opened, resumes_at
from oracle import NAMED, SLOT_PARKED, RingFile
from processes import Child

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    """A ring with events 0 to 9."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"%d" % k for k in range(10)])
    return ring_path


def lap(path: str) -> int:
    """Write until everything that was there is gone; the oldest sequence then."""
    before = ringlog.info(path).event_count
    with ringlog.Writer(path, timeout=5) as writer:
        while ringlog.info(path).tail_count <= before:
            writer.append(bytes(1000))
    return ringlog.info(path).tail_count


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


def test_a_loss_to_the_gate_is_not_forgotten_by_closing(ring: str) -> None:
    """The writer has the place in its grip, the name stands at the gate; its next reader is told."""
    with opened(ring) as reader:
        reader.poll()
    with RingFile(ring) as file:
        third = file.places()[3]
        file.set_pair("gate", third.position, third.sequence)
    opened(ring).close()
    with opened(ring) as reader, pytest.raises(ringlog.Overrun) as caught:
        reader.poll()
    assert (caught.value.first, caught.value.last) == (1, 2)
