"""JsonCodec and MessagePackCodec: plain bytes on the wire, the type checked."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from codec_support import assert_refused, encoded, through
from hypothesis import given
from hypothesis import strategies as st

from ringlog.codecs import Codec, JsonCodec, MessagePackCodec

BOTH = [JsonCodec, MessagePackCodec]
WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)
LEAVES = st.none() | st.booleans() | WHOLE | st.text() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


class Order(msgspec.Struct):
    symbol: str
    price: float
    tags: list[str] = []


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize("kind", BOTH)
@given(value=PLAIN)
def test_plain_values_come_back(kind: type[Codec], value: object) -> None:
    assert through(kind(), value) == value


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("type", "value"),
    [
        (Order, Order("ABC", 1.5, ["new"])),
        (Point, Point(1, -2)),
        (list[Point], [Point(1, 2), Point(3, 4)]),
        (dict[str, int], {"a": 1}),
        (int | str, "either"),
        (bytes, b"\x00\xff"),
    ],
)
def test_types_come_back(kind: type[Codec], type: Any, value: object) -> None:
    assert through(kind(type), value) == value
    again = pickle.loads(pickle.dumps(kind(type)))
    assert through(again, value) == value
    assert again.type == type


@given(value=PLAIN)
def test_json_is_plain_json(value: object) -> None:
    assert json.loads(encoded(JsonCodec(), value)) == value
    assert JsonCodec().decode(json.dumps(value).encode()) == value


def test_message_pack_is_plain_message_pack() -> None:
    assert encoded(MessagePackCodec(), {"a": [1, "b", None]}) == b"\x81\xa1a\x93\x01\xa1b\xc0"


@pytest.mark.parametrize("kind", BOTH)
def test_another_type_is_told_in_msgspecs_words(kind: type[Codec]) -> None:
    error = assert_refused(kind(Order), encoded(kind(), {"symbol": "ABC", "price": "dear"}))
    assert isinstance(error.__cause__, msgspec.ValidationError)
    assert "Expected `float`, got `str` - at `$.price`" in str(error)
    assert error.expected.endswith(" of Order")
    assert_refused(kind(list[int]), encoded(kind(), ["a"]))
    assert "list[int]" in str(assert_refused(kind(list[int]), encoded(kind(), 1)))


@pytest.mark.parametrize("kind", BOTH)
def test_every_truncation_is_refused(kind: type[Codec]) -> None:
    codec = kind(Order)
    data = encoded(codec, Order("ABC", 1.5, ["new", "ü"]))
    for size in range(len(data)):
        assert_refused(codec, data[:size])
    assert_refused(codec, data + b"!")


@pytest.mark.parametrize("kind", BOTH)
@given(data=st.binary(max_size=60))
def test_foreign_bytes_are_a_value_or_refused(kind: type[Codec], data: bytes) -> None:
    assert_refused(kind(Order), b"\xc1" + data)  # begins neither JSON nor MessagePack


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (JsonCodec(), b"[" * 100_000),
        (JsonCodec(), b'"\xff\xfe"'),
        (MessagePackCodec(), b"\x91" * 100_000),
        (MessagePackCodec(), b"\xdd\xff\xff\xff\xff"),
        (MessagePackCodec(), b"\xdf\xff\xff\xff\xff"),
        (MessagePackCodec(), b"\xc6\xff\xff\xff\xff"),
    ],
)
def test_hostile_bytes_are_refused(codec: Codec, data: bytes) -> None:
    error = assert_refused(codec, data)
    assert len(str(error)) < 300


@pytest.mark.parametrize("kind", BOTH)
def test_what_it_does_not_hold_is_msgspecs_own_error(kind: type[Codec]) -> None:
    with pytest.raises((TypeError, NotImplementedError)):
        kind().encode(object())
    with pytest.raises(TypeError):
        kind(list[{}])
