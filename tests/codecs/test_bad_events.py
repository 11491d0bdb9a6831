"""An event that the codec does not expect, among good ones: told once, consumed, in its turn."""

from __future__ import annotations

import asyncio

import pytest
from codec_support import INTS, ring_ends

import ringlog
from ringlog.codecs import (
    CodecError,
    Decoded,
    TypedReader,
)


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

    assert [take().value for _ in range(2)] == [0, 1]
    with pytest.raises(CodecError) as caught:
        take()
    assert told_of_two(caught.value)
    assert [take().value for _ in range(2)] == [3, 4]


async def next_of(reader: TypedReader[int]) -> Decoded[int]:
    return await anext(aiter(reader))


def test_async_iteration_goes_on_after_a_bad_event(ring_path: str) -> None:
    async def values(reader: ringlog.Reader) -> list[object]:
        seen: list[object] = []
        events = aiter(TypedReader(reader, INTS))
        for _ in range(2):
            try:
                async for decoded in events:
                    seen.append(decoded.value)
            except CodecError as error:
                seen.append(error.sequence)
        return seen

    with ring_ends(ring_path) as (writer, reader):
        writer.append_many([b"0", b"1", b'"two"', b"3", b"4"])
        writer.end()
        assert asyncio.run(values(reader)) == [0, 1, 2, 3, 4]


def test_a_task_that_waits_is_given_the_value(ring_path: str) -> None:
    async def main(writer: ringlog.Writer, reader: ringlog.Reader) -> object:
        task = asyncio.ensure_future(next_of(TypedReader(reader, INTS)))
        while not reader._bells:
            await asyncio.sleep(0)
        writer.append(b"7")
        return (await task).value

    with ring_ends(ring_path) as (writer, reader):
        assert asyncio.run(main(writer, reader)) == 7


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


class Interrupted:
    """A codec that meets Ctrl-C at its third event, once."""

    def __init__(self) -> None:
        self.calls = 0

    def decode(self, data: bytes) -> bytes:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return data


@pytest.mark.parametrize("call", ["read", "read_many"])
def test_an_interrupt_loses_nothing(ring_path: str, call: str) -> None:
    with ring_ends(ring_path) as (writer, reader):
        writer.append_many([b"0", b"1", b"2", b"3"])
        typed = TypedReader(reader, Interrupted())
        given = [typed.read(), typed.read()] if call == "read" else []
        with pytest.raises(KeyboardInterrupt):
            getattr(typed, call)()
        given += typed.read_many()
        given += typed.read_many()
        assert [decoded.value for decoded in given] == [b"0", b"1", b"2", b"3"]


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
