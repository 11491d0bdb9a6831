"""read_batch gives the very events that are in the ring: what an independent decoder finds there."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from oracle import RingFile, decode
from processes import Child, eventually

import ringlog


def rows(batch: ringlog.Batch) -> list[tuple[int, int, bytes]]:
    """The events as the columns have them."""
    data = bytes(batch.data)
    columns = zip(batch.sequences, batch.timestamps, batch.sizes, batch.offsets, strict=True)
    return [(sequence, time, data[at : at + size]) for sequence, time, size, at in columns]


def same(batch: ringlog.Batch, events: list[ringlog.Event]) -> None:
    """Columns, iteration and indexing agree with the oracle's events; the data has nothing else in it."""
    assert rows(batch) == events
    assert list(batch) == events
    assert [batch[k] for k in range(len(batch))] == events
    assert batch.data.nbytes == sum(len(event.data) for event in events)


@pytest.fixture
def writer(ring_path: str) -> ringlog.Writer:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        yield writer


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("largest", [0, 1, 40, 300, 5000])
def test_random_sizes_over_many_laps(
    ring_path: str, writer: ringlog.Writer, largest: int, verify: bool
) -> None:
    chance = random.Random(largest)
    with ringlog.Reader(ring_path, verify=verify) as reader:
        for _ in range(40):
            room, items = 30_000, []
            for _ in range(chance.randrange(1, 200)):
                items.append(chance.randbytes(chance.randint(0, largest)))
                room -= 16 + len(items[-1])
                if room < 0:
                    items.pop()
                    break
            for item in items:
                writer.append(item)
            expected = decode(ring_path)[-len(items) :]
            while expected:
                limit = chance.choice([1, 2, 7, 50, 65536])
                batch = reader.read_batch(limit)
                assert len(batch) == min(limit, len(expected))
                same(batch, expected[: len(batch)])
                del expected[: len(batch)]
                assert reader.sequence == batch.sequences[-1] + 1
            assert not reader.read_batch()


@pytest.mark.parametrize(
    "sizes", [[8] * 6, [5, 9, 1, 5, 5, 5], [0] * 6, [0, 9, 0, 9, 0, 0], [9, 0, 0, 0, 0, 0]]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 1 << 60])
def test_a_limit_counts_events(ring_path: str, writer: ringlog.Writer, sizes: list[int], limit: int) -> None:
    """Also where the first event is as large as all are on average, but those up to the limit are larger."""
    writer.append_many([bytes([65 + k]) * size for k, size in enumerate(sizes)])
    with ringlog.Reader(ring_path, start="oldest") as reader:
        same(reader.read_batch(limit), decode(ring_path)[:limit])
        same(reader.read_batch(), decode(ring_path)[limit:])


def test_a_batch_has_a_most(ring_path: str) -> None:
    """64 MiB of the stream; and the rest is not lost."""
    item = bytes(range(256)) * 4096  # 1 MiB
    with (
        ringlog.Writer(ring_path, capacity=256 << 20) as writer,
        ringlog.Reader(ring_path, verify=False) as reader,
    ):
        writer.append_many([item] * 70)
        batch = reader.read_batch()
        assert len(batch) == (64 << 20) // (16 + len(item)) == 63
        assert batch.data.nbytes == 63 * len(item)
        assert bytes(batch.data[-len(item) :]) == item
        writer.append(bytes(70 << 20))
        assert len(reader.read_batch()) == 7
        assert reader.read_batch().data.nbytes == 70 << 20  # one event, however large


@pytest.mark.parametrize("limit", [0, -1, -(1 << 62)])
def test_a_limit_is_at_least_one(ring_path: str, writer: ringlog.Writer, limit: int) -> None:
    writer.append(b"x")
    with ringlog.Reader(ring_path, start="oldest") as reader:
        with pytest.raises(ValueError, match="limit"):
            reader.read_batch(limit)
        assert reader.sequence == 0


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_bad_timeout(ring_path: str, writer: ringlog.Writer, timeout: float) -> None:
    with ringlog.Reader(ring_path) as reader, pytest.raises(ValueError, match="timeout"):
        reader.read_batch(1, timeout)


@pytest.mark.parametrize("arguments", [(), (10, 0.0), (10, 0.01)])
def test_nothing_is_an_empty_batch(
    ring_path: str, writer: ringlog.Writer, arguments: tuple[int, float]
) -> None:
    with ringlog.Reader(ring_path) as reader:
        batch = reader.read_batch(*arguments)
        assert type(batch) is ringlog.Batch
        assert not batch
        assert len(batch) == 0
        assert list(batch) == batch[:] == rows(batch) == []
        columns = (batch.sequences, batch.timestamps, batch.sizes, batch.offsets, batch.data)
        assert [column.nbytes for column in columns] == [0] * 5


def test_all_that_is_there_not_what_was_there(ring_path: str, writer: ringlog.Writer) -> None:
    """An earlier call may have seen a head with less before it."""
    writer.append_many([b"0", b"1", b"2"])
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert reader.poll().data == b"0"
        writer.append_many([b"3"] * 5)
        assert len(reader.read_batch()) == 7


def test_mixed_with_the_other_calls(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append_many([b"%d" % k for k in range(30)])
    with ringlog.Reader(ring_path, start="oldest") as reader:
        seen = [
            *reader.read_batch(3),
            reader.poll(),
            *reader.read_many(4),
            *reader.read_batch(5),
            next(reader),
        ]
        seen += list(reader.read_batch())
        assert seen == decode(ring_path)
        reader.seek(7)
        assert reader.read_batch(1)[0].data == b"7"


def test_ended(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append_many([b"a", b"b"])
    writer.end()
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert len(reader.read_batch(10, None)) == 2
        for timeout in (0.0, 1.0, None):
            with pytest.raises(ringlog.StreamEnded):
                reader.read_batch(10, timeout)


def test_removed(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append_many([b"a", b"b"])
    with ringlog.Reader(ring_path, start="oldest") as reader:
        ringlog.unlink(ring_path)
        assert len(reader.read_batch(10, None)) == 2
        with pytest.raises(ringlog.RingRemoved):
            reader.read_batch(10, None)


def test_closed(ring_path: str, writer: ringlog.Writer) -> None:
    reader = ringlog.Reader(ring_path)
    reader.close()
    with pytest.raises(ringlog.ClosedError):
        reader.read_batch()


def test_from_a_time_on(ring_path: str, writer: ringlog.Writer) -> None:
    start = ringlog.info(ring_path).start_timestamp // 10**9 * 10**9 + 10**9
    moments = [start + k * 10**9 for k in range(20)]
    for moment in moments:
        writer.append(b"%d" % moment, timestamp=moment)
    when = datetime.fromtimestamp(moments[13] / 1e9, timezone.utc)
    with ringlog.Reader(ring_path, start=when) as reader:
        same(reader.read_batch(), decode(ring_path)[13:])
    with ringlog.Reader(ring_path, start=datetime(2261, 1, 1, tzinfo=timezone.utc)) as reader:
        assert not reader.read_batch()  # all are too early: skipped, and not returned


def test_waiting_ends_when_something_comes(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    child = spawn(
        """
        with ringlog.Reader(path) as reader:
            say("ready")
            batch = reader.read_batch(timeout=None)
            say(len(batch), bytes(batch.data).decode())
        """,
        ring_path,
    )
    child.line()
    with RingFile(ring_path) as file:
        eventually(lambda: file["sleepers"])
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([b"to", b"get", b"her"])
    assert child.line() == "3 together"
    child.finish()


def test_interrupted(ring_path: str, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    child = spawn(
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it
        with ringlog.Reader(path) as reader:
            say("ready")
            try:
                reader.read_batch(timeout=None)
            except KeyboardInterrupt:
                say("interrupted", len(reader.read_batch()))
        """,
        ring_path,
    )
    child.line()
    with RingFile(ring_path) as file:
        eventually(lambda: file["sleepers"])
    child.signal(signal.SIGINT)
    assert child.line() == "interrupted 0"
    child.finish()


def test_the_gil_is_free_while_waiting(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        got: list[ringlog.Batch] = []
        thread = threading.Thread(target=lambda: got.append(reader.read_batch(timeout=None)))
        thread.start()
        writer.append(b"x")
        thread.join(20)
        assert list(got[0]) == decode(ring_path)


def test_threads_share_a_reader(ring_path: str) -> None:
    """Large runs are copied without the GIL; each event still comes to one thread, once, in order."""
    got: list[list[int]] = [[], [], []]
    with (
        ringlog.Writer(ring_path, capacity=1 << 23) as writer,
        ringlog.Reader(ring_path, lossless=True) as reader,
    ):

        def read(k: int) -> None:
            try:
                while True:
                    got[k] += reader.read_batch(5000, None).sequences
            except ringlog.StreamEnded:
                pass

        threads = [threading.Thread(target=read, args=(k,)) for k in range(len(got))]
        for thread in threads:
            thread.start()
        for _ in range(20):
            writer.append_many([bytes(100)] * 10_000)
        writer.end()
        for thread in threads:
            thread.join(20)
    assert sorted(got[0] + got[1] + got[2]) == list(range(200_000))
    assert all(part == sorted(part) for part in got)
