"""Claims: an event written in place is published whole, or not at all, and by nobody afterwards."""

# ruff: noqa: PT012 - the error comes from the end of a block, which has to have something in it

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from in_place_support import CAPACITY, HOLDERS, LARGEST, areas, lap, mapped, pattern, scribble
from oracle import ENTRY, RingFile, decode
from processes import Child, asleep, eventually, run_forked

import ringlog


@pytest.fixture
def writer(ring_path: str) -> Iterator[ringlog.Writer]:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=20) as writer:
        yield writer


def head(path: str) -> tuple[int, int]:
    with RingFile(path, writable=False) as file:
        return file.pair("head")


def assert_free(path: str) -> None:
    """The lock is: another writer gets it without waiting."""
    with RingFile(path, writable=False) as file:
        assert file["owner"] == 0
    with ringlog.Writer(path, timeout=0) as other:
        other.append(b"free")


class Boom(Exception):
    pass


# ---- what is published ----


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4095, 4096, 4097, LARGEST - 1, LARGEST])
def test_what_was_written_is_the_event(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with ringlog.Reader(ring_path) as reader:
        for number in range(5):
            claim = writer.claim(size)
            assert (claim.size, claim.sequence) == (size, None)
            with claim as view:
                assert (len(view), view.nbytes, view.readonly, view.format) == (size, size, False, "B")
                view[:] = pattern(number, size)
                assert claim.sequence is None
            assert claim.sequence == number
            assert decode(ring_path)[-1].data == pattern(number, size)  # the checksum too
            event = reader.read(1)
            assert (event.sequence, event.data) == (number, pattern(number, size))


def test_all_around_the_ring(ring_path: str, writer: ringlog.Writer) -> None:
    """Claims and appends in turn, over several laps, with events that lie across the end of the data."""
    across = 0
    for number in range(600):
        size = number * 37 % 1500
        position = head(ring_path)[0]
        if number % 3:
            with writer.claim(size) as view:
                view[:] = pattern(number, size)
            at = (position - 24 + ENTRY.size) % CAPACITY
            across += at < CAPACITY < at + size
        else:
            writer.append(pattern(number, size))
        last = decode(ring_path)[-1]
        assert (last.sequence, last.data) == (number, pattern(number, size))
        assert head(ring_path) == (position + ENTRY.size + size, number + 1)
    assert across >= 2


@pytest.mark.parametrize("size", [LARGEST + 1, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 200])
def test_too_large(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with pytest.raises(ringlog.EventTooLarge):
        writer.claim(size)
    assert_free(ring_path)


@pytest.mark.parametrize("size", [-1, -(1 << 63), -(1 << 200)])
def test_less_than_nothing(ring_path: str, writer: ringlog.Writer, size: int) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        writer.claim(size)
    assert_free(ring_path)


def test_no_size(ring_path: str, writer: ringlog.Writer) -> None:
    class Index:
        def __index__(self) -> int:
            return 1 << 80

        def __lt__(self, other: object) -> bool:
            raise Boom

    for size in (1.0, "1", None, b"1"):
        with pytest.raises(TypeError):
            writer.claim(size)  # type: ignore[arg-type]
    with pytest.raises(ringlog.EventTooLarge):
        writer.claim(Index())
    with writer.claim(np.uint16(3)) as view:
        view[:] = b"abc"
    assert decode(ring_path)[-1].data == b"abc"
    assert_free(ring_path)


def test_an_array_on_it(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(4000) as view:
        array = np.frombuffer(view, "<u4")
        array[:] = np.arange(1000)
        del array
    assert decode(ring_path)[0].data == np.arange(1000, dtype="<u4").tobytes()


def test_released_early_it_is_published(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        view[:] = b"abc"
        view.release()
    assert decode(ring_path)[0].data == b"abc"


def test_timestamps_never_decrease(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"")
        ahead = reader.read(1).timestamp + 1_800_000_000_000
        writer.append(b"", timestamp=ahead)
        with writer.claim(1) as view:
            view[:] = b"x"
        assert [event.timestamp for event in reader.read_many()] == [ahead, ahead]


def test_nobody_sees_a_part_of_it(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader, ringlog.Reader(ring_path, start="oldest") as other:
        before = head(ring_path)
        with writer.claim(1000) as view:
            for k in range(0, 1000, 100):
                view[k : k + 100] = bytes([k // 100]) * 100
                assert reader.poll() is None
                assert other.lag == 0
                assert head(ring_path) == before
        assert reader.read(1) == other.read(1)


# ---- what is dropped ----


def test_an_exception_drops_it(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"before")
    before = head(ring_path)
    claim = writer.claim(100)
    with pytest.raises(Boom), claim as view:
        view[:] = b"\xff" * 100
        raise Boom
    assert (claim.sequence, head(ring_path)) == (None, before)
    assert writer.append(b"after") == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"after"]
    assert_free(ring_path)


def test_ctrl_c_drops_it(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(KeyboardInterrupt), writer.claim(10) as view:
        view[:] = bytes(10)
        signal.raise_signal(signal.SIGINT)
    assert head(ring_path)[1] == 0
    assert_free(ring_path)


@pytest.mark.parametrize("forget", ["never entered", "entered"])
def test_a_forgotten_one_lets_go(ring_path: str, writer: ringlog.Writer, forget: str) -> None:
    claim = writer.claim(10)
    if forget == "entered":
        claim.__enter__()[:] = bytes(10)
    with pytest.raises(ringlog.WriterBusy):
        writer.append(b"no")
    del claim
    assert head(ring_path)[1] == 0
    assert_free(ring_path)
    assert writer.append(b"next") == 1


def test_a_forgotten_one_whose_memory_is_held(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(100)
    array = np.frombuffer(claim.__enter__(), "u1")
    del claim
    assert_free(ring_path)
    scribble(array, 0xEE)
    lap(writer, ring_path)
    assert set(array.tolist()) == {0xEE}


class Node:
    claim: ringlog._core.Claim


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another thread"])
def test_one_in_a_cycle_lets_go(ring_path: str, writer: ringlog.Writer, elsewhere: bool) -> None:
    node = Node()
    node.claim = writer.claim(10)
    node.node = node  # type: ignore[attr-defined]
    del node
    collect(elsewhere)
    assert_free(ring_path)
    assert writer.append(b"next") == 1


@pytest.mark.parametrize("lock", ["append", "session"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another thread"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_in_a_cycle_with_its_writer_lets_go(ring_path: str, elsewhere: bool, lock: str) -> None:
    """The writer's finalizer may come first; it can't wait for the claim to be over."""
    writer = ringlog.Writer(ring_path, capacity=CAPACITY, lock=lock)  # type: ignore[arg-type]
    writer.claim_of_mine = writer.claim(10)  # type: ignore[attr-defined]
    del writer
    collect(elsewhere)
    assert ringlog.info(ring_path).writers == ()
    assert_free(ring_path)


def collect(elsewhere: bool) -> None:
    if not elsewhere:
        gc.collect()
        return
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


# ---- one block, once ----


def test_a_claim_is_for_one_block(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(3)
    with pytest.raises(ringlog.ClosedError):
        claim.__exit__(None, None, None)  # never entered: it stays to be
    with claim as view:
        view[:] = b"abc"
        with pytest.raises(ringlog.ClosedError):
            claim.__enter__()
    for again in (claim.__enter__, lambda: claim.__exit__(None, None, None)):
        with pytest.raises(ringlog.ClosedError):
            again()
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    assert (claim.sequence, head(ring_path)[1]) == (0, 1)
    assert_free(ring_path)


def test_what_is_beneath_gives_nothing_afterwards(writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        beneath = view.obj
    with pytest.raises(BufferError):
        memoryview(beneath)


def test_a_claim_can_not_be_made_or_copied(writer: ringlog.Writer) -> None:
    with writer.claim(3) as view:
        view[:] = b"abc"
        for what in (writer.claim, view.obj):
            kind = type(what)
            with pytest.raises(TypeError):
                object.__new__(kind)
    claim = writer.claim(3)
    for attempt in (
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda c: type(c)(),
        lambda c: object.__new__(type(c)),
    ):
        with pytest.raises(TypeError):
            attempt(claim)
    with claim:
        pass


# ---- memory that is held on to ----


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_memory_that_is_held_is_not_the_rings_any_more(
    ring_path: str, writer: ringlog.Writer, hold: Callable[[memoryview], object]
) -> None:
    """Wherever in the ring it was: the events there stay what they are, whatever is written through it."""
    for number in range(12):
        with ringlog.Reader(ring_path) as reader:
            for _ in range(13):
                writer.append(pattern(number, 484))
            before, size = head(ring_path), 2000 + 2000 * number
            with pytest.raises(BufferError, match="nothing was published"), writer.claim(size) as view:
                view[:] = pattern(number, size)
                holder = hold(view)
            kept = np.array(holder, copy=True).tobytes()
            assert kept in (
                pattern(number, size),
                np.array(hold(memoryview(bytearray(pattern(number, size))))).tobytes(),
            )
            assert head(ring_path) == before
            assert len(reader.read_many()) == 13
        scribble(holder, 0x99)
        assert_free(ring_path)
        lap(writer, ring_path, laps=1)
        with writer.claim(100) as view:
            view[:] = pattern(5, 100)
        scribble(holder, 0xAA)
        assert decode(ring_path)[-1].data == pattern(5, 100)
        assert set(np.array(holder).tobytes()) == {0xAA}
        del holder, view


def test_many_that_are_held_do_not_meet(ring_path: str, writer: ringlog.Writer) -> None:
    arrays = []
    for number in range(40):
        writer.append(pattern(number, 900))
        with pytest.raises(BufferError), writer.claim(700) as view:
            view[:] = pattern(number, 700)
            arrays.append(np.frombuffer(view, "u1"))
    for number, array in enumerate(arrays):
        assert array.tobytes() == pattern(number, 700)
        array[:] = number
    lap(writer, ring_path)
    assert [set(array.tolist()) for array in arrays] == [{number} for number in range(40)]


def test_nothing_stays_mapped(ring_path: str, writer: ringlog.Writer) -> None:
    def hold(held: list[object]) -> None:
        with pytest.raises(BufferError), writer.claim(5000) as view:
            held.append(np.frombuffer(view, "u1"))

    def publish() -> None:
        with writer.claim(5000) as view:
            view[:] = bytes(5000)

    publish()
    hold([])
    publish()
    pieces, count = mapped(ring_path), areas()
    held: list[object] = []
    for _ in range(100):
        hold(held)
    assert mapped(ring_path) <= pieces  # whoever holds memory has no part of the file
    assert areas() >= count + 50
    held.clear()
    for _ in range(200):
        hold([])
        publish()
        with pytest.raises(Boom), writer.claim(10):
            raise Boom
        writer.claim(10)
    assert mapped(ring_path) == pieces
    assert areas() <= count + 20
    writer.close()
    assert mapped(ring_path) == 0


def test_nothing_is_leaked(writer: ringlog.Writer) -> None:
    def use() -> None:
        with writer.claim(10) as view:
            view[:] = bytes(10)
        writer.claim(10)
        with pytest.raises(Boom), writer.claim(10):
            raise Boom

    use()
    gc.collect()
    claim = writer.claim(1)
    kinds = [type(claim), type(claim.__enter__().obj)]
    del claim
    counts = [sys.getrefcount(thing) for thing in (writer, *kinds)]
    for _ in range(100):
        use()
    gc.collect()
    assert [sys.getrefcount(thing) for thing in (writer, *kinds)] == counts


def test_an_exception_and_held_memory(ring_path: str, writer: ringlog.Writer) -> None:
    with pytest.raises(Boom), writer.claim(500) as view:
        array = np.frombuffer(view, "u1")
        raise Boom
    assert_free(ring_path)
    scribble(array, 0xCC)
    lap(writer, ring_path)


def test_a_thread_that_goes_on_writing(ring_path: str, writer: ringlog.Writer) -> None:
    """It writes while the block is left and the pages are exchanged."""
    stop = threading.Event()
    going = threading.Semaphore(0)

    def write(array: np.ndarray) -> None:
        going.release()
        while not stop.is_set():
            array[:] = 0x77

    threads = []
    for number in range(8):
        with pytest.raises(BufferError), writer.claim(20000) as view:
            threads.append(threading.Thread(target=write, args=(np.frombuffer(view, "u1"),)))
            threads[-1].start()
            assert going.acquire(timeout=20)
        writer.append(pattern(number, 3000))
    try:
        lap(writer, ring_path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# ---- the lock ----


@pytest.mark.parametrize("timeout", [None, 20.0])
@pytest.mark.parametrize("lock", ["append", "session"])
def test_this_thread_is_refused_at_once(ring_path: str, lock: str, timeout: float | None) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, lock=lock, timeout=timeout) as writer:  # type: ignore[arg-type]
        with writer.claim(3) as view:
            for call in (
                lambda: writer.append(b""),
                lambda: writer.append_many([b""]),
                lambda: writer.append_array(b"a"),
                lambda: writer.claim(1),
                writer.end,
                writer.close,
            ):
                with pytest.raises(ringlog.WriterBusy):
                    call()
            view[:] = b"abc"
        assert [event.data for event in decode(ring_path)] == [b"abc"]
        assert writer.append(b"next") == 1


def test_a_session_goes_on(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, lock="session") as writer:
        with writer.claim(3) as view:
            view[:] = b"abc"
        with pytest.raises(Boom), writer.claim(3):
            raise Boom
        with pytest.raises(BufferError), writer.claim(3) as view:
            held = view[1:]
        writer.claim(3)
        with ringlog.Writer(ring_path, timeout=0) as other, pytest.raises(ringlog.WriterBusy):
            other.append(b"no")
        assert writer.append(b"mine") == 1
        held[:] = b"zz"
    assert [event.data for event in decode(ring_path)] == [b"abc", b"mine"]
    assert_free(ring_path)


def test_another_thread_waits(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.05) as writer:
        told: list[object] = []

        def append() -> None:
            try:
                told.append(writer.append(b"other"))
            except ringlog.WriterBusy:
                told.append("busy")

        with writer.claim(1) as view:
            thread = threading.Thread(target=append)
            thread.start()
            thread.join()
            assert told == ["busy"]
            view[:] = b"a"
        writer.append(b"b")
    with ringlog.Writer(ring_path) as writer:
        with writer.claim(1) as view:
            view[:] = b"c"
            thread = threading.Thread(target=append)
            thread.start()
            assert eventually(lambda: asleep_in_turn(thread))
        thread.join()
    assert [event.data for event in decode(ring_path)] == [b"a", b"b", b"c", b"other"]


def asleep_in_turn(thread: threading.Thread) -> bool:
    with open(f"/proc/self/task/{thread.native_id}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] == "S"


def test_another_process_waits(ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]) -> None:
    code = """
        with ringlog.Writer(path, timeout=20) as writer:
            say("open")
            say(writer.append(b"other"))
        """
    claim = writer.claim(1)
    with claim as view:
        child = spawn(code, ring_path)
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        with ringlog.Writer(ring_path, timeout=0) as impatient, pytest.raises(ringlog.WriterBusy):
            impatient.append(b"no")
        view[:] = b"a"
    assert child.line() == "1"
    child.finish()
    assert [event.data for event in decode(ring_path)] == [b"a", b"other"]


def test_threads_take_turns(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20) as writer:
        sequences: list[list[int]] = [[] for _ in range(4)]

        def run(who: int) -> None:
            for number in range(200):
                claim = writer.claim(number)
                with claim as view:
                    view[:] = bytes([who]) * number
                assert claim.sequence is not None
                sequences[who].append(claim.sequence)

        threads = [threading.Thread(target=run, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(sequence for mine in sequences for sequence in mine) == list(range(800))
    events = decode(ring_path)
    for who in range(4):
        assert [events[sequence].data for sequence in sequences[who]] == [
            bytes([who]) * n for n in range(200)
        ]


def test_left_by_another_thread(ring_path: str, writer: ringlog.Writer) -> None:
    claim = writer.claim(1)
    claim.__enter__()[:] = b"x"
    thread = threading.Thread(target=claim.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert claim.sequence == 0
    assert writer.append(b"y") == 1
    assert_free(ring_path)


def test_the_lock_was_taken_away(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"before")
    with RingFile(ring_path) as file:
        before = file.pair("head")
        mine = 0
        claim = writer.claim(100)
        with pytest.raises(ringlog.WriterBusy), claim as view:
            view[:] = b"\xff" * 100
            mine = file["owner"]
            assert mine
            file["owner"] = 9 << 16 | 50  # of nobody alive
        assert (file["owner"], file.pair("head"), claim.sequence) == (9 << 16 | 50, before, None)
        for left in (lambda: writer.claim(5), lambda: None):  # collected: not ours to give either
            file["owner"] = 0
            held = left()
            file["owner"] = 9 << 16 | 50
            del held
            assert file["owner"] == 9 << 16 | 50
    assert writer.append(b"after") == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"after"]
    assert_free(ring_path)


def test_after_a_writer_that_died(ring_path: str, writer: ringlog.Writer) -> None:
    """The claim puts the ring in order before it says where to write."""
    writer.append(b"before")
    with RingFile(ring_path) as file:
        end = file.put_entry(file["write_offset"], b"half an event")
        file["event_count"] += 1
        file["last_timestamp"] += 1
        file["head[0].position"] = end if file["head[0].position"] != file["write_offset"] else 0
        file["owner"] = 7 << 16 | 5
    claim = writer.claim(3)
    with claim as view:
        view[:] = b"abc"
    assert claim.sequence == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"abc"]
    assert_free(ring_path)


@pytest.mark.parametrize("waits_for", ["the lock", "room"])
def test_ctrl_c_while_it_waits(ring_path: str, spawn: Callable[..., Child], waits_for: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0) as holder,
        ringlog.Reader(ring_path, lossless=True, wait="yield") as reader,
    ):
        if waits_for == "room":
            with pytest.raises(ringlog.RingFull):
                while True:
                    holder.append(bytes(1000))
        claim = holder.claim(0) if waits_for == "the lock" else None
        child = spawn(
            """
            with ringlog.Writer(path) as writer:
                say("open")
                try:
                    writer.claim(1000)
                except KeyboardInterrupt:
                    say("stopped")
                sys.stdin.readline()
                with writer.claim(2) as view:
                    view[:] = b"ok"
            """,
            ring_path,
        )
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        child.signal(signal.SIGINT)
        assert child.line() == "stopped"
        del claim
        reader.read_many(1000)
        holder.append(b"free")
        child.tell()
        child.finish()
        assert [event.data for event in reader.read_many()] == [b"free", b"ok"]


def test_without_a_descriptor(ring_path: str, writer: ringlog.Writer) -> None:
    """A program that becomes a daemon closes what it doesn't know: then no mapping can be made for claims."""
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{entry}") == ring_path:
                os.close(int(entry))
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.claim(3)
    assert writer.append(b"abc") == 0
    assert_free(ring_path)


# ---- room ----


def test_a_reader_in_the_way(ring_path: str) -> None:
    with (
        ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0.02) as writer,
        ringlog.Reader(ring_path, lossless=True) as reader,
    ):
        with pytest.raises(ringlog.RingFull):
            while True:
                with writer.claim(1000) as view:
                    view[:] = bytes(1000)
        count = head(ring_path)[1]
        assert count >= 60
        with RingFile(ring_path, writable=False) as file:
            assert file["owner"] == 0
        assert len(reader.read_many()) == count
        with writer.claim(1000) as view:
            view[:] = bytes([7]) * 1000
        assert reader.read(1).data == bytes([7]) * 1000


def test_it_waits_for_room(ring_path: str, spawn: Callable[..., Child]) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=0) as writer:
        reader = spawn(
            """
            with ringlog.Reader(path, lossless=True) as reader:
                say("here")
                sys.stdin.readline()
                for event in reader:
                    assert event.data == event.data[:1] * 1000, event
                    say(event.sequence)
                    if event.data[0] == 255:
                        break
            """,
            ring_path,
        )
        assert reader.line() == "here"
        with pytest.raises(ringlog.RingFull):
            while True:
                writer.append(b"f" * 1000)
    full = head(ring_path)[1]
    with ringlog.Writer(ring_path, timeout=20) as writer:
        reader.tell()
        with writer.claim(1000) as view:
            view[:] = b"\xff" * 1000
    assert reader.finish().split() == [str(k) for k in range(full + 1)]


# ---- the end of things ----


def test_close_waits_for_the_block(ring_path: str) -> None:
    writer = ringlog.Writer(ring_path, capacity=CAPACITY)
    with writer.claim(1) as view:
        thread = threading.Thread(target=writer.close)
        thread.start()
        assert eventually(lambda: writer._state == "closed")  # it has begun
        assert eventually(lambda: asleep_in_turn(thread))
        view[:] = b"x"
    thread.join()
    with pytest.raises(ringlog.ClosedError):
        writer.claim(1)
    assert [event.data for event in decode(ring_path)] == [b"x"]
    assert_free(ring_path)
    assert mapped(ring_path) == 0


def test_close_in_the_block_is_refused_and_possible_behind_it(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY) as writer, writer.claim(1) as view:
        with pytest.raises(ringlog.WriterBusy):
            writer.close()
        view[:] = b"x"
    assert writer._state == "closed"
    assert len(decode(ring_path)) == 1


def test_the_end_by_another_process(
    ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]
) -> None:
    with writer.claim(1) as view:
        child = spawn("writer = ringlog.Writer(path); say('open'); writer.end(); writer.close()", ring_path)
        assert child.line() == "open"
        assert eventually(lambda: asleep(child.pid))
        assert not ringlog.info(ring_path).ended
        view[:] = b"x"
    child.finish()
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert [event.data for event in reader] == [b"x"]
    with writer.claim(1) as view:  # a stream that goes on
        view[:] = b"y"
    assert len(decode(ring_path)) == 2


def test_after_the_end(ring_path: str, writer: ringlog.Writer) -> None:
    writer.end()
    with pytest.raises(ringlog.StreamEnded):
        writer.claim(1)


def test_a_ring_removed_in_the_block(ring_path: str, writer: ringlog.Writer) -> None:
    remover = threading.Thread(target=ringlog.unlink, args=(ring_path,))
    claim = writer.claim(1)
    with pytest.raises(ringlog.RingRemoved), claim as view:
        remover.start()
        remover.join(20)
        assert not remover.is_alive()
        view[:] = b"x"
    assert claim.sequence is None
    with pytest.raises(ringlog.RingRemoved):
        writer.claim(1)


# ---- forks ----


@pytest.mark.parametrize("leave", ["cleanly", "with an exception", "by forgetting it", "holding its memory"])
def test_a_fork_in_the_block(ring_path: str, writer: ringlog.Writer, leave: str) -> None:
    """What the child writes stays its own; the block is the parent's."""
    writer.append(b"before")
    claim = writer.claim(100)
    with claim as view:
        view[:] = b"p" * 100

        def child() -> tuple[str, int]:
            nonlocal claim
            view[:] = b"c" * 100
            error: BaseException | None = None
            try:
                if leave == "with an exception":
                    claim.__exit__(Boom, Boom(), None)
                elif leave == "by forgetting it":
                    view.release()
                    claim = None  # type: ignore[assignment]
                elif leave == "holding its memory":
                    array = np.frombuffer(view, "u1")
                    try:
                        claim.__exit__(None, None, None)
                    finally:
                        array[:] = 0xDD
                else:
                    claim.__exit__(None, None, None)
            except ringlog.ClosedError as caught:
                error = caught
            try:
                writer.append(b"no")
            except ringlog.ClosedError:
                return type(error).__name__, os.getpid()
            return "appended", os.getpid()

        with RingFile(ring_path, writable=False) as file:
            owner = file["owner"]
            said = run_forked(child)[0]
            assert said == ("ClosedError" if leave in ("cleanly", "holding its memory") else "NoneType")
            assert (file["owner"], file.pair("head").sequence) == (owner, 1)
        assert bytes(view) == b"p" * 100
    assert claim.sequence == 1
    assert [event.data for event in decode(ring_path)] == [b"before", b"p" * 100]
    assert_free(ring_path)


def test_a_fork_where_memory_is_short(ring_path: str, writer: ringlog.Writer) -> None:
    """No private pages can be had for the child: then it can't write, rather than into the ring."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with writer.claim(100) as view:
        view[:] = b"p" * 100
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, hard))
        try:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                view[:] = b"c" * 100
                os._exit(0)
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        os.waitpid(pid, 0)
        assert bytes(view) == b"p" * 100
    assert decode(ring_path)[0].data == b"p" * 100


@pytest.mark.parametrize("touch", ["reads", "writes"])
def test_held_where_memory_is_short(ring_path: str, writer: ringlog.Writer, touch: str) -> None:
    """No private pages can be had: then what holds the memory can't write any more."""
    writer.append(b"before")

    def child() -> None:
        with ringlog.Writer(ring_path, timeout=20) as own:
            claim = own.claim(9000)
            array = np.frombuffer(claim.__enter__(), "u1")
            resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with contextlib.suppress(BufferError):
                claim.__exit__(None, None, None)
            own.append(b"its own")
            if touch == "writes":
                array[:] = 0xEE
            os._exit(0 if array[0] >= 0 else 1)

    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        try:
            child()
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == (0 if touch == "reads" else -signal.SIGSEGV)
    assert [event.data for event in decode(ring_path)] == [b"before", b"its own"]
    assert_free(ring_path)


def test_a_child_claims_with_a_writer_of_its_own(ring_path: str, writer: ringlog.Writer) -> None:
    with writer.claim(1) as view:
        view[:] = b"a"

    def child() -> int | None:
        with ringlog.Writer(ring_path, timeout=20) as own:
            claim = own.claim(1)
            with claim as view:
                view[:] = b"b"
            return claim.sequence

    assert run_forked(child) == 1
    with writer.claim(1) as view:
        view[:] = b"c"
    assert [event.data for event in decode(ring_path)] == [b"a", b"b", b"c"]
