"""Overruns on demand: exact, for lossy readers alone, and the ring goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracle import decode
from processes import Child

import ringlog
from ringlog.testing import TemporaryRing, force_overrun


@pytest.fixture
def fresh() -> Iterator[TemporaryRing]:
    with TemporaryRing() as ring:
        yield ring


def fill(writer: ringlog.Writer, count: int) -> None:
    for k in range(count):
        writer.append(b"%d" % k)


def test_the_range_is_the_overrun(fresh: TemporaryRing) -> None:
    writer, reader, ahead = fresh.writer(), fresh.reader(), fresh.reader()
    fill(writer, 10)
    assert len(reader.read_many(4)) == 4
    assert len(ahead.read_many(7)) == 7
    assert force_overrun(reader) == range(4, 10)
    for each, first in ((reader, 4), (ahead, 7)):
        with pytest.raises(ringlog.Overrun) as caught:
            each.read(timeout=0)
        assert (caught.value.first, caught.value.last, caught.value.count) == (first, 9, 10 - first)
        assert each.poll() is None
    writer.append(b"next")
    assert reader.read(timeout=10) == (10, reader_time(fresh), b"next")
    assert ringlog.verify(fresh.path).ok


def reader_time(ring: TemporaryRing) -> int:
    [event] = decode(ring.path)
    return event.timestamp


def test_one_that_has_read_everything_loses_one_event(fresh: TemporaryRing) -> None:
    writer, reader = fresh.writer(), fresh.reader(on_overrun="skip")
    fill(writer, 3)
    assert len(reader.read_many()) == 3
    assert force_overrun(reader, data=b"lost") == range(3, 4)
    assert reader.poll() is None
    assert reader.lost == 1
    assert force_overrun(fresh) == range(4, 5)


def test_by_the_ring_all_that_was_there_is_gone(fresh: TemporaryRing) -> None:
    with fresh.writer() as writer:
        fill(writer, 5)
    assert force_overrun(fresh) == range(5)
    with pytest.raises(ringlog.Overrun) as caught:
        fresh.reader(start=2).read(timeout=0)
    assert (caught.value.first, caught.value.last) == (2, 4)
    assert fresh.reader(start="oldest").sequence == 5


def test_a_view_learns_of_it_when_its_block_is_left(fresh: TemporaryRing) -> None:
    writer, reader = fresh.writer(), fresh.reader()
    writer.append(b"shown")
    view = reader.view(timeout=10)
    assert view is not None
    with pytest.raises(ringlog.Overrun), view:
        force_overrun(fresh)


def test_lossless_readers_are_not_lapped(fresh: TemporaryRing) -> None:
    writer, lossless, lossy = fresh.writer(), fresh.reader(name="billing"), fresh.reader()
    fill(writer, 4)
    with pytest.raises(ringlog.RingFull, match="'billing'"):
        force_overrun(lossy)
    assert len(lossy.read_many()) == 4
    with pytest.raises(ValueError, match="waits for it"):
        force_overrun(lossless)
    assert len(lossless.read_many()) == 4
    lossless.commit()
    with pytest.raises(ringlog.RingFull):
        force_overrun(lossy)  # there was nothing to lose, so an event was published: the other one wants it
    assert lossless.read(timeout=10).sequence == 4
    lossless.commit()
    assert force_overrun(lossy) == range(4, 5)
    with pytest.raises(ringlog.Overrun):
        lossy.read(timeout=0)
    lossless.close()
    assert force_overrun(fresh) == range(5, 6)


def test_a_name_whose_reader_is_dead_holds_nobody(fresh: TemporaryRing, spawn: Callable[..., Child]) -> None:
    writer = fresh.writer()
    child = spawn(
        'r = ringlog.Reader(path, start="oldest", name="gone"); say("in"); sys.stdin.read()', fresh.path
    )
    assert child.line() == "in"
    fill(writer, 4)
    child.kill()
    assert force_overrun(fresh) == range(4)
    with pytest.raises(ringlog.Overrun) as caught:
        fresh.reader(name="gone").read(timeout=0)
    assert caught.value.count == 4


def test_through_the_writer_of_a_session(fresh: TemporaryRing) -> None:
    writer, reader = fresh.writer(lock="session"), fresh.reader()
    fill(writer, 4)
    assert force_overrun(reader, writer=writer) == range(4)
    fill(writer, 1)
    with pytest.raises(ringlog.Overrun):
        reader.read(timeout=0)
    with TemporaryRing() as other, pytest.raises(ValueError, match="another ring"):
        force_overrun(other, writer=writer)


def test_the_ring_goes_on_for_many_laps(fresh: TemporaryRing) -> None:
    writer, reader = fresh.writer(), fresh.reader(on_overrun="skip")
    read = 0
    for lap in range(40):
        fill(writer, 700)
        if lap % 3 == 0:
            force_overrun(reader)
        read += len(reader.read_many(10_000))
    assert read + reader.lost == 40 * 700
    assert read > 10_000
    assert ringlog.verify(fresh.path).ok


def test_on_a_disk_no_commit_record_names_what_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "ring")
    with ringlog.Writer(path, capacity=1 << 16, sync=3600.0) as writer:
        fill(writer, 50)
        writer.sync()
        assert force_overrun(path, writer=writer) == range(50)
        fill(writer, 5000)
        writer.sync()
    assert ringlog.verify(path).ok
    ringlog.unlink(path)
