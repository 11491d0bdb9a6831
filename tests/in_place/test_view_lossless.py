"""Lossless and named readers' views: nothing is overwritten in them, or finished too early."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import gc
import itertools
import threading

import pytest
from in_place_support import (
    Boom,
    cursor,
    fill,
    mapped,
    opened,
    tail,
)
from oracle import RingFile
from processes import eventually

import ringlog

TIMEOUT = 0.02  # of the `writer`

# ---- lossless ----


@pytest.mark.parametrize("name", [None, "n"])
def test_the_writer_waits_for_an_open_view(ring_path: str, writer: ringlog.Writer, name: str | None) -> None:
    with ringlog.Reader(ring_path, lossless=True, name=name, start="oldest") as reader:
        fill(writer, 10)
        for _ in range(4):
            reader.poll()
        with opened(reader.view()) as event:
            assert cursor(ring_path) == 4
            assert len(reader.read_many()) == 5
            assert cursor(ring_path) == 4
            assert fill(writer, 1000) < 65
            assert tail(ring_path) <= 4
            assert event.data[:6] == b"000004"
            reader.read_many(1000)
            assert fill(writer, 1) == 0
            assert ringlog.info(ring_path).readers[0].sequence == 4
            reader.poll()
        assert cursor(ring_path) == reader.sequence == ringlog.info(ring_path).event_count
        assert fill(writer, 30) == 30
        assert reader.lost == 0


@pytest.mark.parametrize("name", [None, "n"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_several_closed_in_any_order(
    ring_path: str, writer: ringlog.Writer, order: tuple[int, ...], name: str | None
) -> None:
    fill(writer, 20)
    with ringlog.Reader(ring_path, lossless=True, name=name, start="oldest") as reader:
        views, events = {}, {}
        for k in range(3):  # of events 0, 4 and 8
            views[k] = opened(reader.view())
            events[k] = views[k].__enter__()
            assert len(reader.read_many(3)) == 3
        asked = 9 if name else 12  # a named reader's last ones are finished when the next is asked for
        for k in order:
            assert cursor(ring_path) == min(event.sequence for event in events.values())
            for event in events.values():
                assert event.data[:6] == b"%06d" % event.sequence
            views.pop(k).__exit__(None, None, None)
            events.pop(k)
        assert cursor(ring_path) == asked
        assert reader.poll() is not None
        assert cursor(ring_path) == (12 if name else 13)


def test_a_collected_one_lets_the_writer_go_on(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    with ringlog.Reader(ring_path, lossless=True, start="oldest") as reader:
        views = [reader.view(), reader.view()]
        assert cursor(ring_path) == 0
        del views[0]
        assert cursor(ring_path) == 1
        opened(views[0]).__enter__()
        views.append(views)  # type: ignore[arg-type]
        del views
        gc.collect()
        assert cursor(ring_path) == 2
        assert (reader.lost, reader.sequence) == (0, 2)


def test_collected_in_another_thread_while_the_reader_waits(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 2)
    with ringlog.Reader(ring_path, lossless=True, start="oldest") as reader:
        views = [reader.view()]
        reader.poll()
        got: list[object] = []
        thread = threading.Thread(target=lambda: got.append(reader.read(20)))
        thread.start()
        eventually(lambda: RingFile(ring_path, writable=False)["sleepers"])
        views.clear()
        assert cursor(ring_path) == 2
        fill(writer, 1)
        thread.join()
        assert len(got) == 1
        assert cursor(ring_path) == 3


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_cycle_with_its_reader(ring_path: str, writer: ringlog.Writer, elsewhere: bool) -> None:
    fill(writer, 3)
    pieces = mapped(ring_path)
    reader = ringlog.Reader(ring_path, lossless=True, start="oldest")
    reader.mine = reader.view()  # type: ignore[attr-defined]
    del reader
    thread = threading.Thread(target=gc.collect)
    if elsewhere:
        thread.start()
        thread.join(20)
    else:
        gc.collect()
    assert not thread.is_alive()
    assert mapped(ring_path) == pieces
    assert ringlog.info(ring_path).readers == ()  # its slot is free, and not only a dead reader's
    assert fill(writer, 300) == 300


# ---- named readers: at least once ----


def resumes_at(path: str) -> int:
    with ringlog.Reader(path, name="n") as reader:
        sequence: int = reader.sequence
        reader.close()  # leaving the block would commit
    return sequence


def named(path: str) -> ringlog.Reader:
    return ringlog.Reader(path, name="n", start="oldest")


def test_it_is_finished_when_the_next_is_asked_for(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    reader = named(ring_path)
    with opened(reader.view()):
        pass
    reader.close()
    assert resumes_at(ring_path) == 0
    reader = named(ring_path)
    with opened(reader.view()):
        pass
    with opened(reader.view()):
        pass
    reader.close()
    assert resumes_at(ring_path) == 1


def test_asked_for_inside_of_a_view(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    reader = named(ring_path)
    with opened(reader.view()):
        reader.poll()
        assert cursor(ring_path) == 0
    reader.close()
    assert resumes_at(ring_path) == 1


def test_committed_inside_of_a_view(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    reader = named(ring_path)
    with opened(reader.view()) as event:
        reader.commit()
        assert cursor(ring_path) == 0  # the writer may not come yet
        assert event.data[:6] == b"000000"
    assert cursor(ring_path) == 1
    reader.close()
    assert resumes_at(ring_path) == 1


def test_the_reader_is_left_in_an_exception(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    for _ in range(2):
        with pytest.raises(Boom), named(ring_path) as reader, opened(reader.view()) as event:
            assert event.sequence == 0
            raise Boom
    with named(ring_path) as reader, opened(reader.view()) as event:
        assert event.sequence == 0
    assert resumes_at(ring_path) == 1


# ---- seek and close ----


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"name": "n"}], ids=str)
def test_seek_and_close_with_an_open_view(
    ring_path: str, writer: ringlog.Writer, options: dict[str, object]
) -> None:
    fill(writer, 10)
    reader = ringlog.Reader(ring_path, start="oldest", **options)  # type: ignore[arg-type]
    with opened(reader.view()) as event:
        with pytest.raises(BufferError):
            reader.close()
        if options:
            with pytest.raises(BufferError):
                reader.seek(5)
            assert (cursor(ring_path), reader.sequence) == (0, 1)
        else:
            reader.seek(5)
            assert reader.read(1).sequence == 5
        assert event.data[:6] == b"000000"
    reader.seek(7)
    with opened(reader.view()) as event:
        assert event.sequence == 7
    reader.close()
    for call in (reader.view, reader.poll):
        with pytest.raises(ringlog.ClosedError):
            call()
