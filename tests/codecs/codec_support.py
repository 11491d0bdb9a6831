"""What the tests of codecs share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import ringlog
from ringlog.codecs import Codec, CodecError, JsonCodec
from ringlog.codecs.codec import flat

INTS = JsonCodec(int)


def encoded(codec: Codec, value: object) -> bytes:
    """The event's data for this value."""
    return b"".join(flat(part) for part in codec.encode(value))


def through(codec: Codec, value: object) -> object:
    """The value once it was bytes, and back."""
    return codec.decode(encoded(codec, value))


def assert_refused(codec: Codec, data: bytes) -> CodecError:
    """This is a CodecError, as bytes and as a view, and its text is for people."""
    with pytest.raises(CodecError) as caught:
        codec.decode(data)
    with pytest.raises(CodecError):
        codec.decode(memoryview(data))
    text = str(caught.value)
    assert "expected" in text
    assert "found" in text
    return caught.value


@contextmanager
def ring_ends(path: str, **options: object) -> Iterator[tuple[ringlog.Writer, ringlog.Reader]]:
    """Both ends of a ring of 1 MiB, the reader at its first event."""
    with (
        ringlog.Writer(path, capacity=1 << 20) as writer,
        ringlog.Reader(path, **options) as reader,
    ):
        yield writer, reader
