"""TypedWriter and TypedReader over real rings: what is written, what is told, what stays as it was."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Iterator
from types import TracebackType

import numpy as np
import pytest
from codec_support import encoded, ring_ends
from oracle import decode

import ringlog
from ringlog.codecs import (
    ArrayCodec,
    CodecError,
    Decoded,
    JsonCodec,
    MessagePackCodec,
    PickleCodec,
    TypedReader,
    TypedWriter,
)
from ringlog.codecs.typed_writer import JOINED

INTS = JsonCodec(int)


@pytest.fixture
def ends(ring_path: str) -> Iterator[tuple[TypedWriter[int], TypedReader[int]]]:
    with ring_ends(ring_path) as (writer, reader):
        yield TypedWriter(writer, INTS), TypedReader(reader, INTS)


# ---- there and back ----


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
        (PickleCodec(), open, None),
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
    ring_path: str, codec: object, value: object, error: type[Exception] | None
) -> None:
    with ring_ends(ring_path) as (writer, _):
        writer.append(b"first")
        typed = TypedWriter(writer, codec)
        if error is None:
            assert typed.append(value) == 1
            return
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


@pytest.mark.parametrize("count", [4, JOINED])
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


# ---- a bad event among good ones ----


@pytest.fixture
def mixed(ring_path: str) -> Iterator[TypedReader[int]]:
    """Of a ring with 0, 1, something else, 3, 4."""
    with ring_ends(ring_path) as (writer, reader):
        writer.append_many([b"0", b"1", b'"two"', b"3", b"4"])
        yield TypedReader(reader, INTS)


def told_of_two(error: CodecError) -> bool:
    assert "event 2: expected JSON of int, found 5 bytes" in str(error)
    assert "Expected `int`, got `str`" in str(error)
    return error.sequence == 2 and error.__cause__ is not None and isinstance(error, ringlog.RinglogError)


@pytest.mark.parametrize("call", ["poll", "read", "__next__", "__anext__", "read_many of 1"])
def test_a_bad_event_is_told_and_consumed(mixed: TypedReader[int], call: str) -> None:
    def take() -> Decoded[int] | None:
        if call == "read_many of 1":
            return mixed.read_many(1)[0]
        if call == "__anext__":
            return asyncio.run(next_of(mixed))
        return getattr(mixed, call)()

    if call == "__anext__":
        mixed = TypedReader(Awaitable(mixed.reader), INTS)
    assert [take().value for _ in range(2)] == [0, 1]
    with pytest.raises(CodecError) as caught:
        take()
    assert told_of_two(caught.value)
    assert [take()[:1] + take()[2:] for _ in range(1)] == [(3, 4)]


async def next_of(reader: TypedReader[int]) -> Decoded[int]:
    return await anext(aiter(reader))


class Awaitable:
    """The asynchronous side of a reader."""

    def __init__(self, reader: ringlog.Reader) -> None:
        self.reader = reader

    def __aiter__(self) -> Awaitable:
        return self

    async def __anext__(self) -> ringlog.Event:
        event = self.reader.poll()
        if event is None:
            raise StopAsyncIteration
        return event


def test_async_iteration_goes_on_after_a_bad_event(mixed: TypedReader[int]) -> None:
    async def values() -> list[object]:
        seen: list[object] = []
        events = aiter(TypedReader(Awaitable(mixed.reader), INTS))
        for _ in range(2):
            try:
                async for decoded in events:
                    seen.append(decoded.value)
            except CodecError as error:
                seen.append(error.sequence)
        return seen

    assert asyncio.run(values()) == [0, 1, 2, 3, 4]


def test_read_many_returns_what_came_before_it(mixed: TypedReader[int]) -> None:
    assert [decoded.value for decoded in mixed.read_many()] == [0, 1]
    with pytest.raises(CodecError) as caught:
        mixed.read_many()
    assert told_of_two(caught.value)
    assert [decoded.value for decoded in mixed.read_many(1)] == [3]
    assert [decoded.value for decoded in mixed.read_many()] == [4]
    assert mixed.read_many() == []


@pytest.mark.parametrize("call", ["poll", "read", "__next__"])
def test_after_read_many_every_call_goes_on_in_order(mixed: TypedReader[int], call: str) -> None:
    take = getattr(mixed, call)
    assert len(mixed.read_many()) == 2
    with pytest.raises(CodecError):
        take()
    assert [take().value, take().value] == [3, 4]
    assert mixed.poll() is None


def test_a_bad_event_first(mixed: TypedReader[int]) -> None:
    mixed.seek(2)
    with pytest.raises(CodecError):
        mixed.read_many()
    assert [decoded.value for decoded in mixed.read_many()] == [3, 4]


def test_seek_forgets_what_was_ahead(mixed: TypedReader[int]) -> None:
    assert len(mixed.read_many()) == 2
    mixed.seek(4)
    assert mixed.read().value == 4


def test_an_error_of_a_codec_of_ones_own_passes_through(ring_path: str) -> None:
    class Strict:
        def decode(self, data: bytes) -> bytes:
            if data == b"bad":
                raise KeyError("mine")
            return data

    with ring_ends(ring_path) as (writer, reader):
        writer.append_many([b"a", b"bad", b"c"])
        typed = TypedReader(reader, Strict())
        assert [decoded.value for decoded in typed.read_many()] == [b"a"]
        with pytest.raises(KeyError, match="mine"):
            typed.read_many()
        assert typed.read().value == b"c"


# ---- named readers ----


def planted(path: str) -> None:
    with ringlog.Writer(path, capacity=65536) as writer:
        writer.append_many([b"0", b"1", b'"two"', b"3", b"4"])


def named(path: str) -> TypedReader[int]:
    return TypedReader(ringlog.Reader(path, name="mine", start="oldest"), INTS)


@pytest.mark.parametrize("leave", ["block", "commit"])
def test_what_nobody_was_given_is_not_finished(ring_path: str, leave: str) -> None:
    """The reader has taken all five by then, but only two were given."""
    planted(ring_path)
    with named(ring_path) as reader:
        assert [decoded.value for decoded in reader.read_many()] == [0, 1]
        if leave == "commit":
            reader.commit()
            reader.close()
    with named(ring_path) as again:
        with pytest.raises(CodecError) as caught:
            again.read(1)
        assert told_of_two(caught.value)
        assert [decoded.value for decoded in again.read_many()] == [3, 4]
    with named(ring_path) as last:
        assert last.poll() is None


def test_leaving_by_an_error_finishes_nothing_more(ring_path: str) -> None:
    planted(ring_path)
    with pytest.raises(CodecError), named(ring_path) as reader:
        for _ in reader:
            pass
    with named(ring_path) as again, pytest.raises(CodecError):
        again.read(1)


def test_commit_of_a_nameless_reader_keeps_what_is_ahead(mixed: TypedReader[int]) -> None:
    assert len(mixed.read_many()) == 2
    at = mixed.reader.sequence
    mixed.commit()
    assert mixed.reader.sequence == at
    with pytest.raises(CodecError):
        mixed.poll()
    assert [mixed.read().value, mixed.read().value] == [3, 4]


# ---- views ----


class Viewing:
    """A reader whose views are memory of its own; `lapped` is overwritten before the block is left."""

    def __init__(self, *datas: bytes, lapped: bool = False) -> None:
        self.datas = list(enumerate(datas))
        self.lapped = lapped
        self.left: list[object] = []

    def view(self, timeout: float | None = 0.0) -> contextlib.AbstractContextManager[ringlog.Event] | None:
        return self.block(*self.datas.pop(0)) if self.datas else None

    def block(self, sequence: int, data: bytes) -> OneView:
        return OneView(self, sequence, data)


class OneView:
    def __init__(self, reader: Viewing, sequence: int, data: bytes) -> None:
        self.reader = reader
        self.event = Viewed(sequence, 7, memoryview(data))

    def __enter__(self) -> Viewed:
        return self.event

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.left.append(kind)
        if self.reader.lapped and kind is None:
            raise ringlog.Overrun(self.event.sequence, self.event.sequence)


class Viewed:
    def __init__(self, sequence: int, timestamp: int, data: memoryview) -> None:
        self.sequence, self.timestamp, self.data = sequence, timestamp, data


@pytest.mark.parametrize("codec", [PickleCodec(), ArrayCodec()])
def test_a_view_decodes_in_place(codec: object) -> None:
    data = encoded(codec, np.arange(50))
    reader = Viewing(data)
    typed = TypedReader(reader, codec)
    with typed.view() as decoded:
        assert decoded[:2] == (0, 7)
        assert np.shares_memory(decoded.value, np.frombuffer(data, np.uint8))
        assert reader.left == []
    assert reader.left == [None]
    assert typed.view() is None


def test_a_view_of_a_bad_event_is_left_and_told() -> None:
    reader = Viewing(b"x", b"2")
    typed = TypedReader(reader, INTS)
    with pytest.raises(CodecError) as caught, typed.view():
        pytest.fail("entered")
    assert caught.value.sequence == 0
    assert len(reader.left) == 1
    with typed.view() as decoded:
        assert decoded.value == 2


def test_a_view_overwritten_while_it_was_decoded_is_an_overrun() -> None:
    typed = TypedReader(Viewing(b"x", lapped=True), INTS)
    with pytest.raises(ringlog.Overrun), typed.view():
        pytest.fail("entered")


def test_an_error_in_the_block_reaches_the_view() -> None:
    reader = Viewing(b"1")
    with pytest.raises(KeyError), TypedReader(reader, INTS).view():
        raise KeyError
    assert reader.left == [KeyError]


def test_a_view_of_what_is_ahead(mixed: TypedReader[int]) -> None:
    assert len(mixed.read_many()) == 2
    with pytest.raises(CodecError), mixed.view():
        pytest.fail("entered")
    with mixed.view() as decoded:
        assert decoded.value == 3
