"""TypedWriter and TypedReader over real rings: there and back, claims, values that can't be encoded."""

from __future__ import annotations

import pickle
from types import TracebackType

import numpy as np
import pytest
from codec_support import INTS, encoded, ring_ends
from oracle import decode

import ringlog
from ringlog.codecs import (
    ArrayCodec,
    Decoded,
    JsonCodec,
    MessagePackCodec,
    PickleCodec,
    TypedReader,
    TypedWriter,
)
from ringlog.codecs.typed_writer import JOINED


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (PickleCodec(), {"a": [1, (2, None)], "b": {3}}),
        (JsonCodec(), {"a": [1, 2.5, None]}),
        (MessagePackCodec(list[int]), [1, 2, 3]),
    ],
)
def test_values_go_through_a_ring(ring_path: str, codec: object, value: object) -> None:
    with ring_ends(ring_path) as (writer, reader):
        typed, back = TypedWriter(writer, codec), TypedReader(reader, codec)
        assert (typed.writer, typed.codec, back.reader, back.codec) == (writer, codec, reader, codec)
        assert typed.append(value, timestamp=7) == 0
        assert typed.append_many([value, value], timestamp=8) == range(1, 3)
        assert typed.append(value) == 3
        assert back.poll() == Decoded(0, 7, value)
        assert back.read(1) == (1, 8, value)
        assert next(back) == (2, 8, value)
        assert [decoded.value for decoded in back.read_many()] == [value]
        assert back.poll() is None
        with pytest.raises(TimeoutError):
            back.read(0)


@pytest.mark.parametrize("codec", [PickleCodec(), ArrayCodec()])
@pytest.mark.parametrize("size", [0, 10, JOINED, 300_000])
@pytest.mark.parametrize("timestamp", [None, 7])
def test_arrays_go_through_a_ring(ring_path: str, codec: object, size: int, timestamp: int | None) -> None:
    array = np.arange(size, dtype=np.uint8)
    with ring_ends(ring_path) as (writer, reader):
        typed, back = TypedWriter(writer, codec), TypedReader(reader, codec)
        assert typed.append(array, timestamp=timestamp) == 0
        assert typed.append_many([array]) == range(1, 2)
        assert [event.data for event in decode(ring_path)] == [encoded(codec, array)] * 2
        for _, _, value in back.read_many():
            np.testing.assert_array_equal(value, array)


def test_an_array_is_made_on_the_events_bytes(ring_path: str) -> None:
    with ring_ends(ring_path) as (writer, reader):
        TypedWriter(writer, ArrayCodec()).append(np.arange(100))
        event = reader.poll()
        again = TypedReader(OneEvent(event), ArrayCodec()).poll()
        assert np.shares_memory(again.value, np.frombuffer(event.data, np.uint8))


class OneEvent:
    """A reader that gives this event."""

    def __init__(self, event: ringlog.Event) -> None:
        self.event = event

    def poll(self) -> ringlog.Event:
        return self.event


def test_decoded_is_a_tuple_with_names() -> None:
    decoded = Decoded(3, 7, "value")
    assert (decoded.sequence, decoded.timestamp, decoded.value) == (3, 7, "value") == decoded
    assert repr(decoded) == "Decoded(sequence=3, timestamp=7, value='value')"
    again = pickle.loads(pickle.dumps(decoded))
    assert (type(again), again) == (Decoded, decoded)
    match decoded:
        case Decoded(3, _, value):
            assert value == "value"
        case _:
            pytest.fail("no match")


def test_iteration_stops_at_the_end(ends: tuple[TypedWriter[int], TypedReader[int]]) -> None:
    writer, reader = ends
    writer.append_many(range(5))
    writer.writer.end()
    assert [decoded.value for decoded in reader] == list(range(5))
    with pytest.raises(ringlog.StreamEnded):
        reader.poll()


def test_the_blocks_close_what_is_beneath(ring_path: str) -> None:
    with TypedWriter(ringlog.Writer(ring_path, capacity=65536), INTS) as writer:
        with TypedReader(ringlog.Reader(ring_path), INTS) as reader:
            writer.append(1)
        with pytest.raises(ringlog.ClosedError):
            reader.poll()
    with pytest.raises(ringlog.ClosedError):
        writer.append(1)


def test_between_two_processes(ring_path: str, spawn: object) -> None:
    ringlog.create(ring_path, 1 << 20)
    child = spawn(
        """
        import numpy as np
        from ringlog.codecs import PickleCodec, ArrayCodec, TypedReader, TypedWriter
        with TypedReader(ringlog.Reader(path), PickleCodec()) as asked:
            say("ready")
            with TypedWriter(ringlog.Writer(sys.argv[2]), ArrayCodec(np.float64, (None,))) as answers:
                for _, _, value in asked:
                    answers.append(value["array"] * value["factor"])
        """,
        ring_path,
        ring_path + "-answers",
    )
    with (
        TypedWriter(ringlog.Writer(ring_path), PickleCodec()) as asking,
        TypedReader(
            ringlog.Reader(ring_path + "-answers", open_timeout=20, start="oldest"), ArrayCodec(np.float64)
        ) as answers,
    ):
        assert child.line() == "ready"
        for size in (3, 10_000):
            asking.append({"array": np.arange(float(size)), "factor": size})
            np.testing.assert_array_equal(answers.read(20).value, np.arange(float(size)) * size)
        asking.writer.end()
        child.finish()


def test_both_pickle_as_what_is_beneath(ends: tuple[TypedWriter[int], TypedReader[int]]) -> None:
    writer, reader = ends
    with pickle.loads(pickle.dumps(writer)) as other, pickle.loads(pickle.dumps(reader)) as back:
        other.append(5)
        assert back.poll().value == reader.poll().value == 5


# ---- encoding that fails ----


class Broken:
    """Its parts are fine, but for one."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def encode(self, value: object) -> tuple[object, ...]:
        if value == "bad":
            raise ValueError("not this one")
        return self.parts


@pytest.mark.parametrize(
    ("codec", "value", "error"),
    [
        (PickleCodec(), (x for x in ()), TypeError),
        (JsonCodec(), object(), TypeError),
        (ArrayCodec(), [1], TypeError),
        (ArrayCodec(np.int32), np.zeros(3), TypeError),
        (ArrayCodec(shape=(2,)), np.zeros(3), ValueError),
        (Broken(b"a", "text"), 1, TypeError),
        (Broken("text"), 1, TypeError),
        (Broken(b"a", bytes(2 * JOINED), 7), 1, TypeError),
        (PickleCodec(), np.zeros(1 << 20, "u1"), ringlog.EventTooLarge),
    ],
)
def test_what_cannot_be_encoded_changes_nothing(
    ring_path: str, codec: object, value: object, error: type[Exception]
) -> None:
    with ring_ends(ring_path) as (writer, _):
        writer.append(b"first")
        typed = TypedWriter(writer, codec)
        with pytest.raises(error):
            typed.append(value)
        with pytest.raises(error):
            typed.append(value, timestamp=5)
        with pytest.raises(error):
            typed.append_many([value])
        assert [event.data for event in decode(ring_path)] == [b"first"]
        assert writer.append(b"second") == 1


def test_a_batch_is_all_or_none(ring_path: str) -> None:
    with ring_ends(ring_path) as (writer, _):
        typed = TypedWriter(writer, Broken(b"a", b"b"))
        with pytest.raises(ValueError, match="not this one"):
            typed.append_many(["good", "bad"])
        assert decode(ring_path) == []
        assert typed.append_many(["good", "good"]) == range(2)
        assert [event.data for event in decode(ring_path)] == [b"ab", b"ab"]


@pytest.mark.parametrize("parts", [(), (b"",), (b"", b"")])
def test_no_parts_are_an_empty_event(ring_path: str, parts: tuple[bytes, ...]) -> None:
    with ring_ends(ring_path) as (writer, _):
        TypedWriter(writer, Broken(*parts)).append(1)
        TypedWriter(writer, Broken(*parts)).append_many([1])
        assert [event.data for event in decode(ring_path)] == [b"", b""]


@pytest.mark.parametrize("count", [4, JOINED // 8])
def test_parts_of_any_kind(ring_path: str, count: int) -> None:
    columns = np.arange(4 * count, dtype=np.int32).reshape(-1, 4)[:, ::2]
    parts = [
        b"a",
        bytearray(b"b"),
        memoryview(b"cxd")[::2],
        columns,
        np.zeros((0, 3)),
        np.asfortranarray(columns),
    ]
    expected = b"abcd" + columns.tobytes() * 2
    with ring_ends(ring_path) as (writer, _):
        typed = TypedWriter(writer, Broken(*parts))
        typed.append(1)
        typed.append_many([1])
        assert [event.data for event in decode(ring_path)] == [expected] * 2


# ---- claims ----


class ClaimingWriter:
    """A writer whose claims are memory of its own."""

    def __init__(self) -> None:
        self.claimed: list[bytes] = []
        self.appended: list[tuple[bytes, int | None]] = []

    def append(self, data: bytes, *, timestamp: int | None = None) -> int:
        self.appended.append((bytes(data), timestamp))
        return 1

    def claim(self, size: int) -> OneClaim:
        return OneClaim(self, size)


class OneClaim:
    def __init__(self, writer: ClaimingWriter, size: int) -> None:
        self.writer = writer
        self.memory = bytearray(size)

    def __enter__(self) -> memoryview:
        self.view = memoryview(self.memory)
        return self.view

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.view.release()  # BufferError if somebody holds a part of it
        if kind is None:
            self.writer.claimed.append(bytes(self.memory))
            self.sequence = 41 + len(self.writer.claimed)


@pytest.mark.parametrize("codec", [PickleCodec(), ArrayCodec()])
def test_a_large_message_of_parts_is_one_claim(codec: object) -> None:
    array = np.arange(JOINED)
    writer = ClaimingWriter()
    typed = TypedWriter(writer, codec)
    assert [typed.append(array), typed.append(array)] == [42, 43]
    assert writer.claimed == [encoded(codec, array)] * 2
    assert writer.appended == []


@pytest.mark.parametrize(
    ("codec", "value", "timestamp"),
    [
        (ArrayCodec(), np.arange(3), None),
        (ArrayCodec(), np.arange(JOINED), 7),
        (PickleCodec(), bytes(2 * JOINED), None),  # one part: append copies it once too
    ],
)
def test_the_rest_is_appended(codec: object, value: object, timestamp: int | None) -> None:
    writer = ClaimingWriter()
    assert TypedWriter(writer, codec).append(value, timestamp=timestamp) == 1
    assert writer.appended == [(encoded(codec, value), timestamp)]
    assert writer.claimed == []
