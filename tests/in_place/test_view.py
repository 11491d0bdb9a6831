"""Views: an event looked at in its place is what was published, or whoever looked is told."""

from __future__ import annotations

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it
import copy
import ctypes
import gc
import itertools
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import numpy as np
import pytest
from in_place_support import CAPACITY, LARGEST, areas, mapped, pattern
from oracle import ENTRY, RingFile, decode
from processes import NOBODY, Child, asleep, eventually, run, run_forked

import ringlog

SIZE = 1000 - 16  # 65 events of these fit into the ring


@pytest.fixture
def writer(ring_path: str) -> Iterator[ringlog.Writer]:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.02) as writer:
        yield writer


def fill(writer: ringlog.Writer, count: int) -> int:
    """Append events that know their sequence; how many went in."""
    for done in range(count):
        try:
            with writer.claim(SIZE) as view:
                view[:] = bytes(SIZE)
                at = ringlog.info(writer._path).event_count
                view[:6] = b"%06d" % at
        except ringlog.RingFull:
            return done
    return count


def opened(view: ringlog._core.View | None) -> ringlog._core.View:
    assert view is not None
    return view


def cursor(path: str) -> int | None:
    [slot] = [slot for slot in RingFile(path, writable=False).reader_slots() if slot.status]
    return slot.sequence


def tail(path: str) -> int:
    return ringlog.info(path).tail_count


class Boom(Exception):
    pass


# ---- what is seen ----


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"name": "n"}], ids=str)
def test_what_is_in_place_is_the_event(
    ring_path: str, writer: ringlog.Writer, options: dict[str, object], verify: bool
) -> None:
    """Around the ring, several times: some lie across its end."""
    with (
        ringlog.Reader(ring_path, verify=verify, **options) as reader,  # type: ignore[arg-type]
        ringlog.Reader(ring_path) as other,
    ):
        for number, size in enumerate([0, 1, LARGEST, 0, 4096, LARGEST - 1, *range(0, 6000, 97)]):
            writer.append(pattern(number, size))
            with opened(reader.view()) as event:
                assert isinstance(event.data, memoryview)
                assert event.data.readonly
                assert bytes(event.data) == pattern(number, size)
                copied = other.read(1)
                assert (event.sequence, event.timestamp) == (copied.sequence, copied.timestamp)
                assert event.data == copied.data
            assert reader.sequence == number + 1
            assert (reader.position, reader.lag, reader.lost) == (other.position, 0, 0)
        assert reader.view() is None
        assert reader.poll() is None


def test_a_large_one(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 21) as writer, ringlog.Reader(ring_path) as reader:
        data = np.random.default_rng(1).bytes(1 << 20)[: (1 << 20) - 16]
        writer.append(data)
        with opened(reader.view()) as event:
            assert event.data == data


def test_it_can_not_be_written(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"abcd")
    with ringlog.Reader(ring_path, start="oldest") as reader, opened(reader.view()) as event:
        array = np.frombuffer(event.data, "u1")
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises(TypeError):
            event.data[0] = 1  # type: ignore[index]
        for data in (event.data, memoryview(event.data.obj)):
            with pytest.raises((TypeError, BufferError)):
                ctypes.c_uint32.from_buffer(data)  # type: ignore[arg-type]
        del array, data
    assert decode(ring_path)[0].data == b"abcd"


def test_a_view_is_for_one_block(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 1)
    with ringlog.Reader(ring_path, start="oldest") as reader:
        view = opened(reader.view())
        with pytest.raises(ringlog.ClosedError):
            view.__exit__(None, None, None)
        with view as event:
            with pytest.raises(ringlog.ClosedError):
                view.__enter__()
            data, beneath = event.data, event.data.obj
        for again in (view.__enter__, lambda: view.__exit__(None, None, None)):
            with pytest.raises(ringlog.ClosedError):
                again()
        with pytest.raises(ValueError, match="released"):
            bytes(data)
        with pytest.raises(BufferError):
            memoryview(beneath)
        assert repr(event)
        assert event.sequence == 0
        for attempt in (copy.copy, pickle.dumps, lambda v: type(v)(), lambda v: object.__new__(type(v))):
            with pytest.raises(TypeError):
                attempt(view)


# ---- waiting, and why nothing comes ----


def test_it_waits(ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        with ringlog.Reader(path) as reader:
            assert reader.view() is None
            assert reader.view(timeout=0.01) is None
            say("waits")
            with reader.view(timeout=None) as event:
                say(bytes(event.data))
            say("waits")
            try:
                reader.view(timeout=None)
            except KeyboardInterrupt:
                say("stopped at", reader.sequence)
        """,
        ring_path,
    )
    assert child.line() == "waits"
    assert eventually(lambda: asleep(child.pid))
    writer.append(b"x")
    assert child.line() == "b'x'"
    assert child.line() == "waits"
    assert eventually(lambda: asleep(child.pid))
    child.signal(signal.SIGINT)
    assert child.line() == "stopped at 1"
    child.finish()


@pytest.mark.parametrize("timeout", [-1, "1", float("nan")])
def test_bad_timeouts(ring_path: str, writer: ringlog.Writer, timeout: object) -> None:
    with ringlog.Reader(ring_path) as reader, pytest.raises((ValueError, TypeError)):
        reader.view(timeout)  # type: ignore[arg-type]


def test_the_end(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"last")
        writer.end()
        with opened(reader.view(None)) as event:
            assert event.data == b"last"
        for timeout in (0, None):
            with pytest.raises(ringlog.StreamEnded):
                reader.view(timeout)


def test_a_removed_ring(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"last")
        ringlog.unlink(ring_path)
        with opened(reader.view()) as event:
            assert event.data == b"last"
            with pytest.raises(ringlog.RingRemoved):
                reader.view()
            assert event.data == b"last"


@pytest.mark.parametrize("damage", ["checksum", "size"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_damaged_event(ring_path: str, writer: ringlog.Writer, damage: str, lossless: bool) -> None:
    fill(writer, 3)
    with RingFile(ring_path) as file:
        at = file.places()[1].position
        timestamp, _, checksum = file.entry(at)
        if damage == "size":
            file.write(at, ENTRY.pack(timestamp, 1 << 31, checksum))
        else:
            file.write(at + ENTRY.size, b"\x01")
    with ringlog.Reader(ring_path, start="oldest", lossless=lossless) as reader:
        with opened(reader.view()) as event:
            assert event.sequence == 0
            for _ in range(2):
                with pytest.raises(ringlog.CorruptStream):
                    reader.view()
                assert reader.sequence == 1
        reader.seek(0)
        assert opened(reader.view()) is not None
    if damage == "checksum":
        with ringlog.Reader(ring_path, start=1, verify=False) as reader, opened(reader.view()) as event:
            assert bytes(event.data[:1]) == b"\x01"


def test_from_a_time_on(ring_path: str, writer: ringlog.Writer) -> None:
    base = time.time_ns() // 1_000_000_000 * 1_000_000_000
    for k in range(5):
        writer.append(b"%d" % k, timestamp=base + k * 1_000_000_000)
    start = datetime.fromtimestamp(base // 1_000_000_000 + 3, timezone.utc)
    for lossless in (False, True):
        with ringlog.Reader(ring_path, start=start, lossless=lossless) as reader:
            with opened(reader.view()) as event:
                assert event.data == b"3"
            with opened(reader.view()) as event:
                assert event.data == b"4"


def test_with_read_permission_alone(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"abc")
    os.chmod(ring_path, 0o644)
    said = run(
        """
        with ringlog.Reader(path, start="oldest") as reader:
            with reader.view() as event:
                say(bytes(event.data))
            say(reader.view(timeout=0.01))
        """,
        ring_path,
        user=NOBODY,
    )
    assert said.split() == ["b'abc'", "None"]


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


# ---- lossy: lapped ----


@pytest.mark.parametrize("on_overrun", ["raise", "skip"])
def test_lapped_in_the_block(ring_path: str, writer: ringlog.Writer, on_overrun: str) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3, on_overrun=on_overrun) as reader:  # type: ignore[arg-type]
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            fill(writer, 100)
        oldest = tail(ring_path)
        assert (caught.value.first, caught.value.last, caught.value.count) == (3, oldest - 1, oldest - 3)
        assert (reader.sequence, reader.lost) == (oldest, oldest - 3)
        assert [event.sequence for event in reader.read_many(1000)] == list(range(oldest, 110))
        assert reader.lost == oldest - 3


def test_only_the_event_itself_is_lost(ring_path: str, writer: ringlog.Writer) -> None:
    """The tail stands just behind it, and then just before it."""
    fill(writer, 20)
    with ringlog.Reader(ring_path, start=4) as reader, RingFile(ring_path) as file:
        with opened(reader.view()):
            file.move_tail(4)
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            file.move_tail(2)
        assert (caught.value.first, caught.value.last) == (5, 5)
        assert (reader.lost, reader.sequence) == (1, 6)
        assert reader.read(1).sequence == 6


@pytest.mark.parametrize("read_behind", [1, 5])
def test_lapped_after_more_was_read(ring_path: str, writer: ringlog.Writer, read_behind: int) -> None:
    fill(writer, 20)
    with ringlog.Reader(ring_path, start=4) as reader, RingFile(ring_path) as file:
        with pytest.raises(ringlog.Overrun) as caught, opened(reader.view()):
            assert len(reader.read_many(read_behind)) == read_behind
            file.move_tail(15)
        assert (caught.value.first, caught.value.last) == (4, 4)
        assert reader.lost == 1
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert (caught.value.first, caught.value.last) == (5 + read_behind, 14)
        assert reader.lost == 11 - read_behind
        assert reader.read(1).sequence == 15


def test_lapped_with_several_open(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 20)
    for order in ([0, 1], [1, 0]):
        with ringlog.Reader(ring_path, start="oldest") as reader, RingFile(ring_path) as file:
            first = reader.sequence
            views = [opened(reader.view()), opened(reader.view())]
            for view in views:
                view.__enter__()
            file.move_tail(6)
            told: list[int] = []
            for k in order:
                with pytest.raises(ringlog.Overrun) as caught:
                    views[k].__exit__(None, None, None)
                told += range(caught.value.first, caught.value.last + 1)
            assert sorted(told) == list(range(first, first + 6))
            assert reader.lost == 6
            assert reader.read(1).sequence == first + 6


@pytest.mark.parametrize("on_overrun", ["raise", "skip"])
def test_an_exception_in_a_block_that_was_lapped(
    ring_path: str, writer: ringlog.Writer, on_overrun: str
) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3, on_overrun=on_overrun) as reader:  # type: ignore[arg-type]
        with pytest.raises(Boom), opened(reader.view()):
            fill(writer, 100)
            raise Boom
        oldest = tail(ring_path)
        if on_overrun == "raise":
            with pytest.raises(ringlog.Overrun) as caught:
                reader.poll()
            assert (caught.value.first, caught.value.last) == (3, oldest - 1)
        assert reader.read(1).sequence == oldest
        assert reader.lost == oldest - 3


def test_lapped_and_held(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=3) as reader:
        with pytest.raises(BufferError), opened(reader.view()) as event:
            array = np.frombuffer(event.data, "u1")
            fill(writer, 100)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.view()
        assert caught.value.first == 3
        assert array.size == SIZE


def test_lapped_and_never_looked_at(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 10)
    with ringlog.Reader(ring_path, start=9) as reader:
        view = reader.view()
        assert reader.poll() is None
        fill(writer, 100)
        del view
        with pytest.raises(ringlog.Overrun) as caught:
            reader.poll()
        assert caught.value.first == 10


def test_lapped_before_the_view(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader, ringlog.Reader(ring_path, on_overrun="skip") as skipping:
        fill(writer, 100)
        with pytest.raises(ringlog.Overrun) as caught:
            reader.view()
        assert (caught.value.first, caught.value.last) == (0, tail(ring_path) - 1)
        for each in (reader, skipping):
            with opened(each.view()) as event:
                assert event.sequence == tail(ring_path) == each.lost


# ---- memory that is held on to ----


HOLDERS: dict[str, Callable[[memoryview], object]] = {
    "a slice": lambda data: data[1:],
    "a cast": lambda data: data.cast("H"),
    "another memoryview": memoryview,
    "a memoryview of what is beneath": lambda data: memoryview(data.obj),
    "an array": lambda data: np.frombuffer(data, "u1"),
}


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_held_memory_is_refused(
    ring_path: str, writer: ringlog.Writer, hold: Callable[[memoryview], object], lossless: bool
) -> None:
    fill(writer, 3)
    with ringlog.Reader(ring_path, start="oldest", lossless=lossless) as reader:
        with pytest.raises(BufferError), opened(reader.view()) as event:
            held = hold(event.data)
        with pytest.raises(Boom), opened(reader.view()) as event:
            other = hold(event.data)
            raise Boom
        assert reader.read(1).sequence == 2
        if lossless:
            assert cursor(ring_path) == 3
        assert fill(writer, 200) == 200 or lossless
    assert len(memoryview(held).tobytes()) >= SIZE - 1  # type: ignore[arg-type]
    assert len(memoryview(other).tobytes()) >= SIZE - 1  # type: ignore[arg-type]


def test_held_memory_outlives_everything() -> None:
    """In a process of its own: it must not crash."""
    said = run(
        """
        import gc, numpy, tempfile
        folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        path = os.path.join(folder, "ring")
        writer = ringlog.Writer(path, capacity=1 << 16)
        arrays = []
        for lossless in (False, True, False):
            reader = ringlog.Reader(path, lossless=lossless)
            for size in (8, 30000, 3):
                writer.append(b"x" * size)
                view = reader.view()
                event = view.__enter__()
                arrays.append(numpy.frombuffer(event.data, "u1"))
                arrays.append(event.data[1:])
                try:
                    view.__exit__(None, None, None)
                except BufferError:
                    say("held")
            reader.close()
        claim = writer.claim(20000)
        arrays.append(numpy.frombuffer(claim.__enter__(), "u1"))
        try:
            claim.__exit__(None, None, None)
        except BufferError:
            say("held")
        writer.close()
        ringlog.unlink(path)
        os.rmdir(folder)
        del writer, reader, view, event, claim
        gc.collect()
        say(sum(int(bytes(a)[-1]) >= 0 for a in arrays))
        arrays[-1][:] = 7
        arrays.reverse()
        while arrays:
            arrays.pop()
            gc.collect()
        say(sum(path in line for line in open("/proc/self/maps")))
        """
    )
    assert said.split() == ["held"] * 10 + ["19", "0"]


def test_nothing_is_leaked(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 60)
    with ringlog.Reader(ring_path, start="oldest") as reader:

        def use() -> None:
            reader.seek(tail(ring_path))
            with opened(reader.view()) as event:
                assert event.data
            reader.view()
            with pytest.raises(Boom), opened(reader.view()):
                raise Boom
            with pytest.raises(BufferError), opened(reader.view()) as event:
                held = [np.frombuffer(event.data, "u1")]
            held.clear()

        use()
        kinds = [type(reader.view()), type(opened(reader.view()).__enter__())]
        gc.collect()
        pieces, count = mapped(ring_path), areas()
        counts = [sys.getrefcount(thing) for thing in (reader, *kinds)]
        for _ in range(100):
            use()
        gc.collect()
        assert [sys.getrefcount(thing) for thing in (reader, *kinds)] == counts
        assert mapped(ring_path) == pieces
        assert areas() <= count + 10
    writer.close()
    assert mapped(ring_path) == 0


# ---- threads and forks ----


def test_threads_share_a_reader(ring_path: str, writer: ringlog.Writer) -> None:
    """Each event goes to one of them, and the writer comes round to none that is looked at."""
    with ringlog.Writer(ring_path, timeout=20) as patient, ringlog.Reader(ring_path, lossless=True) as reader:
        seen: list[list[int]] = [[], [], []]

        def run(mine: list[int]) -> None:
            while True:
                try:
                    view = reader.view(timeout=20)
                except ringlog.StreamEnded:
                    return
                with opened(view) as event:
                    assert bytes(event.data[:6]) == b"%06d" % event.sequence
                    mine.append(event.sequence)

        threads = [threading.Thread(target=run, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        assert fill(patient, 500) == 500
        patient.end()
        for thread in threads:
            thread.join()
        assert sorted(seen[0] + seen[1] + seen[2]) == list(range(500))
        assert (reader.lost, cursor(ring_path)) == (0, 500)


def test_a_lossy_one_goes_on_after_a_fork(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 5)
    with ringlog.Reader(ring_path, start="oldest") as reader, opened(reader.view()) as event:

        def child() -> tuple[bytes, int, int]:
            first = bytes(event.data[:6])
            with opened(reader.view()) as another:
                return first, another.sequence, reader.sequence

        assert run_forked(child) == (b"000000", 1, 2)
        assert reader.sequence == 1

        def closing() -> bytes:
            reader.close()
            return bytes(event.data[:6])

        assert run_forked(closing) == b"000000"


@pytest.mark.parametrize("name", [None, "n"])
def test_a_cursor_is_the_parents(ring_path: str, writer: ringlog.Writer, name: str | None) -> None:
    fill(writer, 5)
    with ringlog.Reader(ring_path, start="oldest", lossless=True, name=name) as reader:
        view = opened(reader.view())
        with view as event:

            def child() -> tuple[bytes, str]:
                nonlocal view
                data = bytes(event.data[:6])
                view.__exit__(None, None, None)
                try:
                    reader.view()
                except ringlog.ClosedError:
                    reader.close()
                    return data, "closed"
                return data, "open"

            assert run_forked(child) == (b"000000", "closed")
            assert cursor(ring_path) == 0
            reader.read_many(3)
            assert fill(writer, 100) < 65
            assert event.data[:6] == b"000000"
        reader.poll()
        assert cursor(ring_path) == (4 if name else 5)
