"""A held cursor moves when its reader says so, and what is not finished is there, or told, after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from oracle import RingFile
from processes import Child, asleep, eventually
from runs_support import append_whole, jump, lost, run_of, taken

import ringlog

COUNT = 10


@pytest.fixture
def reader(writer: ringlog.Writer, ring_path: str) -> Iterator[ringlog.Reader]:
    """Of a name that holds its cursor, in front of events 0 to 9."""
    with ringlog.Reader(ring_path, name="n", start="oldest") as reader:
        reader._hold()
        writer.append_many([b"%d" % k for k in range(COUNT)])
        yield reader


def cursor(path: str) -> int:
    (seen,) = ringlog.info(path).readers
    return seen.sequence


def position(path: str, sequence: int) -> int:
    with RingFile(path) as file:
        places = file.places()
        return next((p for p, s in places if s == sequence), file.pair("head").position)


def finish(reader: ringlog.Reader, path: str, sequence: int) -> None:
    reader._finish_to(position(path, sequence), sequence)


def test_no_call_but_one_moves_it(reader: ringlog.Reader, ring_path: str) -> None:
    reader.poll()
    reader.read()
    reader.read_many(2)
    reader.read_batch(1)
    view = reader.view()
    assert view is not None
    with view:
        pass
    next(reader)
    reader._wait(0)
    reader._take_run(17, True)
    reader.commit()
    assert (reader.sequence, cursor(ring_path)) == (8, 0)
    finish(reader, ring_path, 3)
    assert cursor(ring_path) == 3
    finish(reader, ring_path, 8)
    assert cursor(ring_path) == 8


def test_leaving_the_block_finishes_nothing(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path, name="n") as reader:
        reader._hold()
        writer.append_many([b"a", b"b", b"c"])
        reader.read_many()
        finish(reader, ring_path, 1)
    with ringlog.Reader(ring_path, name="n") as reader:
        assert reader.read().data == b"b"
        assert reader.read().data == b"c"  # not held any more: b is finished
        assert cursor(ring_path) == 2


def test_only_places_between_the_cursor_and_the_reader(reader: ringlog.Reader, ring_path: str) -> None:
    reader.read_many(6)
    finish(reader, ring_path, 3)
    p = position(ring_path, 4)
    for wrong in (
        (position(ring_path, 2), 2),
        (position(ring_path, 7), 7),
        (p, 5),
        (p, 3),
        (p + 1, 4),
        (p - 1, 4),
        (0, 0),
        (-1, 4),
        (1 << 62, 4),
    ):
        with pytest.raises(ValueError, match="no place between"):
            reader._finish_to(*wrong)
    assert cursor(ring_path) == 3
    finish(reader, ring_path, 3)
    finish(reader, ring_path, 6)


def test_damage_is_not_a_wrong_place(reader: ringlog.Reader, ring_path: str) -> None:
    places = [position(ring_path, k) for k in range(COUNT)]
    reader.read_many(8)
    with RingFile(ring_path) as file:
        file.write(places[2], bytes(8))  # a time
    for k in (3, 7):
        with pytest.raises(ringlog.CorruptStream, match="damaged"):
            reader._finish_to(places[k], k)
    assert cursor(ring_path) == 0
    reader._finish_to(reader.position, 8)  # needs no look
    assert cursor(ring_path) == 8


def test_only_a_name_that_holds_its_cursor(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path, lossless=True) as plain, pytest.raises(ValueError, match="named"):
        plain._hold()
    with ringlog.Reader(ring_path, name="n") as named, pytest.raises(ValueError, match="not held"):
        named._finish_to(named.position, named.sequence)
    with pytest.raises(ringlog.ClosedError):
        named._hold()
    with pytest.raises(ringlog.ClosedError):
        named._finish_to(24, 0)


@pytest.mark.parametrize("goal", [3, 5, 8])
def test_looking_again_at_what_is_not_finished(reader: ringlog.Reader, ring_path: str, goal: int) -> None:
    reader.read_many(8)
    finish(reader, ring_path, 3)
    reader.seek(goal)
    assert (reader.sequence, cursor(ring_path)) == (goal, 3)
    assert reader.read().data == b"%d" % goal
    assert reader.read_many()[-1].data == b"9"
    finish(reader, ring_path, 10)


def test_seeking_forward_takes_it_along_and_backward_too(reader: ringlog.Reader, ring_path: str) -> None:
    reader.read_many(4)
    reader.seek(6)
    assert cursor(ring_path) == 6
    reader.seek(2)
    assert cursor(ring_path) == 2
    reader.seek("latest")
    assert cursor(ring_path) == 10


def test_what_is_not_finished_is_not_overwritten(
    reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str
) -> None:
    for _ in range(63):
        writer.append(b"x" * 1000)
    with pytest.raises(ringlog.RingFull):
        writer.append(b"x" * 2000)
    taken(reader)
    with pytest.raises(ringlog.RingFull):
        writer.append(b"x" * 2000)
    finish(reader, ring_path, reader.sequence)
    writer.append(b"x" * 2000)
    assert cursor(ring_path) < ringlog.info(ring_path).event_count


def test_it_wakes_a_writer_that_waits(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Reader(ring_path, name="n") as reader:
        reader._hold()
        child = spawn(
            "with ringlog.Writer(path) as w:\n"
            "    for k in range(100): w.append(b'x' * 1000)\n"
            "    say('done')",
            ring_path,
        )
        eventually(lambda: ringlog.info(ring_path).event_count > 60 and asleep(child.pid))
        seen = 0
        while seen < 100:
            got = reader._take_run(10_000, True)
            if got is not None:
                seen += got[1]
                reader._finish_to(reader.position, reader.sequence)
        assert child.line() == "done"


# ---- losses ----


def gap(ring_path: str, held: bool) -> ringlog.Reader:
    """A reader of the name, which has been lapped while it was away: events 0 to 4."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        ringlog.Reader(ring_path, name="n").close()
        writer.append_many([b"%d" % k for k in range(COUNT)])
        with RingFile(ring_path) as file:
            file.move_tail(5)
    reader = ringlog.Reader(ring_path, name="n")
    if held:
        reader._hold()
    return reader


def test_a_loss_that_was_told_is_told_again_until_it_is_finished(ring_path: str) -> None:
    """Whoever had to pass it on may not have come so far."""
    reader = gap(ring_path, held=True)
    for _ in range(2):
        assert lost(reader) == (0, 4)
        assert [event.data for event in reader.read_many()] == [b"%d" % k for k in range(5, COUNT)]
        reader.commit()
        reader.close()
        reader = ringlog.Reader(ring_path, name="n")
        reader._hold()
    assert lost(reader) == (0, 4)
    reader.read_many(2)
    reader.seek(5)  # as after a failure of the network
    reader.close()
    with ringlog.Reader(ring_path, name="n") as reader:
        reader._hold()
        assert lost(reader) == (0, 4)
        finish(reader, ring_path, 5)  # this says that the loss was passed on, and nothing else yet
    with ringlog.Reader(ring_path, name="n") as reader:
        assert reader.read().data == b"5"


def test_a_loss_that_was_not_told_stays(ring_path: str) -> None:
    reader = gap(ring_path, held=True)
    finish(reader, ring_path, 5)
    reader.seek(5)
    reader.close()
    with ringlog.Reader(ring_path, name="n") as reader:
        assert lost(reader) == (0, 4)


def test_finishing_an_event_behind_the_loss_finishes_it_too(ring_path: str) -> None:
    reader = gap(ring_path, held=True)
    assert lost(reader) == (0, 4)
    reader.read_many(3)
    finish(reader, ring_path, 7)
    reader.close()
    with ringlog.Reader(ring_path, name="n") as reader:
        assert reader.read().data == b"7"


def test_across_a_jump(reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str) -> None:
    """A held cursor stands in its way until all is finished; then the gap is told until it is finished."""
    reader.read_many()
    assert jump(writer, 100) >= 0
    finish(reader, ring_path, COUNT)
    assert jump(writer, 100) == -1
    append_whole(writer, run_of((ringlog.info(ring_path).start_timestamp * 2, b"new")), 100)
    assert lost(reader) == (10, 99)
    assert reader.read().data == b"new"
    reader.close()
    with ringlog.Reader(ring_path, name="n") as again:
        again._hold()
        assert lost(again) == (10, 99)
        again.read()
        again._finish_to(again.position, again.sequence)
    with ringlog.Reader(ring_path, name="n") as again:
        assert again.poll() is None


@pytest.mark.parametrize("finished", [0, 4, 10])
def test_killed_it_goes_on_at_what_was_finished(
    ring_path: str, spawn: Callable[..., Child], finished: int
) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        child = spawn(
            "with ringlog.Reader(path, name='n') as r:\n"
            "    r._hold(); say('here'); sys.stdin.readline()\n"
            "    places = {}\n"
            "    while r.sequence < 10:\n"
            "        places[r.sequence] = r.position; r.read_many(1)\n"
            "    places[10] = r.position\n"
            f"    r._finish_to(places[{finished}], {finished})\n"
            "    say('read'); time.sleep(60)",
            ring_path,
        )
        assert child.line() == "here"
        writer.append_many([b"%d" % k for k in range(10)])
        child.tell()
        assert child.line() == "read"
        child.kill()
        with ringlog.Reader(ring_path, name="n") as reader:
            assert [int(event.data) for event in reader.read_many()] == list(range(finished, 10))
