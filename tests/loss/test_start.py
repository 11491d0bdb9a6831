"""Where a reader begins: oldest, latest, a sequence, a time; against a list of what was appended."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import RingFile, decode

import ringlog

BASE = 1_600_000_000_000_000  # microseconds
SIZES = st.one_of(st.just(0), st.integers(0, 40), st.integers(0, 3000), st.integers(5000, 32752))
STEPS = st.sampled_from([0, 0, 1, 1, 2, 1000])  # microseconds between events
PART = st.lists(st.tuples(SIZES, STEPS), max_size=40)
STREAM = st.builds(lambda part, times: part * times, PART, st.sampled_from([1, 5, 20]))
relaxed = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

Model = list[tuple[int, int, bytes]]


def moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=microseconds)


def write(path: str, stream: list[tuple[int, int]]) -> Model:
    """Make a ring of it; what was appended."""
    model: Model = []
    ringlog.create(path, 65536)
    now = BASE
    with ringlog.Writer(path) as writer:
        for size, step in stream:
            now += step
            data = len(model).to_bytes(2, "little") * (size // 2) + b"+" * (size % 2)
            sequence = writer.append(data, timestamp=now * 1000)
            model.append((sequence, now * 1000, data))
    return model


def window(path: str, model: Model) -> Model:
    """What the ring holds of it, by the oracle; which must be the newest events, whole."""
    kept = [tuple(event) for event in decode(path)]
    assert kept == model[len(model) - len(kept) :]
    return model[len(model) - len(kept) :]


@relaxed
@given(stream=STREAM)
def test_oldest_and_latest(ring_path: str, stream: list[tuple[int, int]]) -> None:
    try:
        model = write(ring_path, stream)
        with ringlog.Reader(ring_path, start="oldest") as reader:
            assert reader.read_many(10_000) == window(ring_path, model)
            assert reader.poll() is None
        with ringlog.Reader(ring_path) as reader, ringlog.Writer(ring_path) as writer:
            assert reader.sequence == len(model)
            assert reader.poll() is None
            writer.append(b"next")
            assert reader.poll()[::2] == (len(model), b"next")
    finally:
        ringlog.unlink(ring_path)


@relaxed
@given(stream=STREAM, data=st.data())
def test_every_sequence(ring_path: str, stream: list[tuple[int, int]], data: st.DataObject) -> None:
    try:
        model = write(ring_path, stream)
        kept = window(ring_path, model)
        tail = len(model) - len(kept)
        wanted = data.draw(st.lists(st.integers(0, len(model) + 2), min_size=1, max_size=5))
        with ringlog.Reader(ring_path) as reader:
            for start in [*wanted, tail, len(model)]:
                if start > len(model):
                    with pytest.raises(ValueError, match="beyond"):
                        reader.seek(start)
                    continue
                reader.seek(start)
                if start < tail:
                    with pytest.raises(ringlog.Overrun) as caught:
                        reader.poll()
                    assert (caught.value.first, caught.value.last) == (start, tail - 1)
                assert reader.read_many(10_000) == model[max(start, tail) :]
    finally:
        ringlog.unlink(ring_path)


@relaxed
@given(stream=STREAM, data=st.data())
def test_every_time(ring_path: str, stream: list[tuple[int, int]], data: st.DataObject) -> None:
    """The first event not before it, also where many share one time. Nothing counts as lost."""
    try:
        model = write(ring_path, stream)
        kept = window(ring_path, model)
        stamps = sorted({stamp // 1000 for _, stamp, _ in kept}) or [BASE]
        near = st.sampled_from(stamps).flatmap(lambda us: st.integers(us - 1, us + 1))
        for us in data.draw(st.lists(near, min_size=1, max_size=6)):
            with ringlog.Reader(ring_path, start=moment(us)) as reader:
                assert reader.read_many(10_000) == [event for event in kept if event[1] >= us * 1000]
                assert reader.lost == 0
    finally:
        ringlog.unlink(ring_path)


@relaxed
@given(stream=STREAM)
def test_the_window_is_as_large_as_promised(ring_path: str, stream: list[tuple[int, int]]) -> None:
    """At most the capacity; at least that less a stride, unless one entry is larger than a stride."""
    try:
        ringlog.create(ring_path, 65536)
        largest = 1024
        with ringlog.Writer(ring_path) as writer:
            for size, _ in stream:
                writer.append(bytes(size))
                largest = max(largest, 16 + size)
                seen = ringlog.info(ring_path)
                kept = seen.write_offset - seen.tail_offset
                assert kept <= 65536
                assert kept > 65536 - largest or seen.tail_offset == 24
                assert seen.event_count - seen.tail_count == len(decode(ring_path))
    finally:
        ringlog.unlink(ring_path)


@relaxed
@given(sizes=st.lists(st.integers(0, 1008), min_size=1, max_size=30), several=st.booleans())
def test_no_more_than_a_stride_is_given_up(ring_path: str, sizes: list[int], several: bool) -> None:
    try:
        ringlog.create(ring_path, 65536)
        with ringlog.Writer(ring_path) as writer, RingFile(ring_path) as file:
            for k in range(100_000):
                if file["write_offset"] > 200_000:
                    break
                if several:
                    writer.append_many([bytes(size) for size in sizes])
                else:
                    writer.append(bytes(sizes[k % len(sizes)]))
                kept = file["write_offset"] - file["tail_offset"]
                assert kept <= 65536
                assert kept >= 65536 - 1024 or file["tail_offset"] == 24
    finally:
        ringlog.unlink(ring_path)


# ---- times, more closely ----


@pytest.fixture
def times(ring_path: str) -> str:
    """Events 0 to 9, one a second."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        for k in range(10):
            writer.append(b"%d" % k, timestamp=BASE * 1000 + k * 1_000_000_000)
    return ring_path


def first(path: str, start: datetime) -> int | None:
    with ringlog.Reader(path, start=start) as reader:
        event = reader.poll()
        return event.sequence if event else None


def test_an_aware_time_is_taken_in_its_zone(times: str) -> None:
    for hours in (-11, 0, 5, 14):
        zone = timezone(timedelta(hours=hours))
        assert first(times, moment(BASE + 4_000_000).astimezone(zone)) == 4


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_a_naive_time_is_local(times: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        local = datetime.fromtimestamp(BASE // 1_000_000 + 4)
        assert local.tzinfo is None
        assert first(times, local) == 4
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_is_exact_to_the_microsecond(times: str) -> None:
    assert first(times, moment(BASE + 4_000_000)) == 4
    assert first(times, moment(BASE + 3_999_999)) == 4
    assert first(times, moment(BASE + 4_000_001)) == 5


@pytest.mark.parametrize(
    "early", [moment(0), moment(-1), datetime(1, 1, 2, tzinfo=timezone.utc), moment(BASE - 1)]
)
def test_a_time_before_everything_is_the_oldest(times: str, early: datetime) -> None:
    assert first(times, early) == 0


@pytest.mark.parametrize("year", [2100, 2262, 2263, 9999])
def test_a_time_after_everything_is_nothing_yet(times: str, year: int) -> None:
    assert first(times, datetime(year, 12, 30, tzinfo=timezone.utc)) is None


def test_a_time_to_come_is_waited_for(times: str) -> None:
    """Events that are appended before it are passed over, and no loss."""
    with ringlog.Reader(times, start=moment(BASE + 20_000_000)) as reader, ringlog.Writer(times) as writer:
        for second in (15, 19, 20, 21):
            writer.append(b"%d" % second, timestamp=(BASE + second * 1_000_000) * 1000)
        assert [event.data for event in reader.read_many()] == [b"20", b"21"]
        assert reader.lost == 0


def test_seek_to_a_time_forgets_the_last_one(times: str) -> None:
    with ringlog.Reader(times, start=moment(BASE + 60_000_000)) as reader:
        assert reader.poll() is None
        for start, expected in ((moment(BASE + 2_000_000), 2), (3, 3), ("oldest", 0)):
            reader.seek(start)
            assert reader.poll().sequence == expected
        reader.seek("latest")
        assert reader.poll() is None
