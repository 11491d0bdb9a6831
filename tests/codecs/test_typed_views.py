"""Values decoded in place: in the ring, for the time of a block."""

from __future__ import annotations

import numpy as np
import pytest
from codec_support import INTS, encoded, ring_ends

import ringlog
from ringlog.codecs import (
    ArrayCodec,
    CodecError,
    PickleCodec,
    TypedReader,
    TypedWriter,
)


@pytest.mark.parametrize("codec", [PickleCodec(), ArrayCodec()])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_view_decodes_in_place(ring_path: str, codec: object, lossless: bool) -> None:
    array = np.arange(50)
    with ring_ends(ring_path, lossless=lossless) as (writer, reader):
        typed = TypedReader(reader, codec)
        assert typed.view() is None
        writer.append(encoded(codec, array), timestamp=7)
        with typed.view() as view:
            assert (view.sequence, view.timestamp) == (0, 7)
            np.testing.assert_array_equal(view.value, array)
            assert not view.value.flags.writeable
            assert not owned(view.value)
        for field in ("sequence", "timestamp", "value"):
            with pytest.raises(ringlog.ClosedError):
                getattr(view, field)


def owned(array: np.ndarray) -> bool:
    """Does an object of Python's own hold this array's bytes? Else they are the ring's."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return not isinstance(base, memoryview) or isinstance(base.obj, (bytes, bytearray))


def test_msgspec_in_a_view(ends: tuple[TypedWriter[int], TypedReader[int]]) -> None:
    writer, reader = ends
    writer.append(5)
    with reader.view() as view:
        assert view.value == 5


def test_a_value_that_outlives_its_view_is_told(ring_path: str) -> None:
    with ring_ends(ring_path, lossless=True) as (writer, reader):
        TypedWriter(writer, ArrayCodec()).append(np.arange(5))
        with (
            pytest.raises(BufferError, match="still holds"),
            TypedReader(reader, ArrayCodec()).view() as view,
        ):
            kept = view.value
        del kept


def test_a_view_that_was_lapped_is_an_overrun(ring_path: str) -> None:
    with ring_ends(ring_path) as (writer, reader):
        typed = TypedReader(reader, INTS)
        writer.append(b"1")
        view = typed.view()
        assert view.__enter__().value == 1
        for _ in range(40):
            writer.append(bytes(1 << 15))
        with pytest.raises(ringlog.Overrun) as caught:
            view.__exit__(None, None, None)
        assert caught.value.first == 0


FOREIGN = {
    "pickle": (PickleCodec(), encoded(PickleCodec(), {"a": 1})[:-1], encoded(PickleCodec(), 3)),
    "array": (
        ArrayCodec("f4"),
        encoded(ArrayCodec(), np.arange(4)),
        encoded(ArrayCodec(), np.array([3], "f4")),
    ),
    "json": (INTS, b'"two"', b"3"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_view_of_a_bad_event_is_told_and_consumed(ring_path: str, kind: str) -> None:
    codec, bad, good = FOREIGN[kind]
    with ring_ends(ring_path, lossless=True) as (writer, reader):
        writer.append_many([bad, good])
        typed = TypedReader(reader, codec)
        with pytest.raises(CodecError) as caught, typed.view():
            pytest.fail("entered")
        assert caught.value.sequence == 0
        with typed.view() as view:
            assert view.value == 3
        for _ in range(40):  # around the ring: nothing holds the writer up
            writer.append(bytes(1 << 15))
            assert reader.read(1).data == bytes(1 << 15)


class Lapped:
    """A codec that is lapped while it decodes, and finds something foreign."""

    def __init__(self, writer: ringlog.Writer) -> None:
        self.writer = writer

    def decode(self, data: memoryview) -> object:
        part = data[1:]
        for _ in range(40):
            self.writer.append(bytes(1 << 15))
        raise CodecError("what was there", f"{bytes(part)!r}")


def test_what_was_overwritten_while_it_was_decoded_is_an_overrun(ring_path: str) -> None:
    """The slice that the failed decode held is let go: else nobody could look at the tail."""
    with ring_ends(ring_path) as (writer, reader):
        writer.append(b"good")
        with pytest.raises(ringlog.Overrun) as caught, TypedReader(reader, Lapped(writer)).view():
            pytest.fail("entered")
        assert caught.value.first == 0
        assert isinstance(caught.value.__context__, CodecError)


def test_an_error_in_the_block_passes_through(ends: tuple[TypedWriter[int], TypedReader[int]]) -> None:
    writer, reader = ends
    writer.append_many([1, 2])
    with pytest.raises(KeyError), reader.view():
        raise KeyError
    assert reader.read().value == 2


def test_a_view_of_what_is_ahead(mixed: TypedReader[int]) -> None:
    assert len(mixed.read_many()) == 2
    with pytest.raises(CodecError), mixed.view():
        pytest.fail("entered")
    with mixed.view() as view:
        assert view.value == 3
