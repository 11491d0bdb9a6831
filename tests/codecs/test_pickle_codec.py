"""PickleCodec: what comes back, on whose memory, and frames that are none."""

from __future__ import annotations

import mmap
import pickle
import struct
import zlib

import numpy as np
import pytest
from codec_support import assert_refused, encoded, through
from hypothesis import given
from hypothesis import strategies as st

import ringlog
from ringlog.codecs import PickleCodec

CODEC = PickleCodec()
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)
)


def frame(pickled: bytes, lengths: list[int], rest: bytes = b"", *, count: int | None = None) -> bytes:
    """A frame whose checksum is right, whatever the rest of it says."""
    number = len(lengths) if count is None else count
    summed = struct.pack(f"<II{len(lengths)}I", number, len(pickled), *lengths) + pickled
    return b"RLP5" + struct.pack("<I", zlib.crc32(summed)) + summed + rest


@given(NESTED)
def test_values_come_back(value: object) -> None:
    assert through(CODEC, value) == value


@given(st.lists(st.binary(max_size=200), max_size=20), NESTED)
def test_any_number_of_buffers(contents: list[bytes], other: object) -> None:
    value = [*map(pickle.PickleBuffer, contents), other]
    *views, back = through(CODEC, value)
    assert [bytes(view) for view in views] == contents
    assert back == other
    assert all(view.readonly for view in views)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_the_frame_is_as_documented(contents: list[bytes]) -> None:
    data = encoded(CODEC, [pickle.PickleBuffer(content) for content in contents])
    magic, checksum, count, length = struct.unpack_from("<4sIII", data)
    lengths = struct.unpack_from(f"<{count}I", data, 16)
    assert (magic, count, lengths) == (b"RLP5", len(contents), tuple(map(len, contents)))
    end = 16 + 4 * count + length
    assert checksum == zlib.crc32(data[8:end])
    for content in contents:
        start = -(-end // 64) * 64
        assert data[end:start] == bytes(start - end)
        end = start + len(content)
        assert data[start:end] == content
    assert end == len(data)


@pytest.mark.parametrize("make", [bytes, memoryview])
def test_arrays_lie_on_the_events_own_memory(make: type) -> None:
    value = {
        "a": np.arange(1000.0),
        "b": np.asfortranarray(np.arange(12).reshape(3, 4)),
        "c": np.zeros((0, 3)),
    }
    data = encoded(CODEC, value)
    back = CODEC.decode(make(data))
    for key, array in value.items():
        np.testing.assert_array_equal(back[key], array)
        assert not back[key].flags.writeable
    memory = np.frombuffer(data, np.uint8)
    assert np.shares_memory(back["a"], memory)
    assert np.shares_memory(back["b"], memory)
    assert back["b"].flags.f_contiguous


def test_arrays_are_encoded_from_their_own_memory() -> None:
    array = np.arange(1000.0)
    shares = [np.shares_memory(np.frombuffer(part, np.uint8), array) for part in CODEC.encode([array])]
    assert shares.count(True) == 1


def test_memory_that_can_be_written_is_not_given_to_be_written() -> None:
    back = CODEC.decode(bytearray(encoded(CODEC, np.arange(5))))
    assert not back.flags.writeable


def test_datetimes_and_objects_in_arrays() -> None:
    value = [np.array(["2020-01-01"], "M8[D]"), np.array([{"a": 1}, None], dtype=object), np.arange(10)[::2]]
    for back, array in zip(through(CODEC, value), value, strict=True):
        np.testing.assert_array_equal(back, array)


def test_what_does_not_pickle_is_pickles_own_error() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        CODEC.encode(lambda: None)
    with pytest.raises(pickle.PicklingError, match="contiguous"):
        CODEC.encode(pickle.PickleBuffer(memoryview(b"abcd")[::2]))


def test_over_four_gibibytes() -> None:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, 1 << 32, flags=flags, prot=mmap.PROT_READ) as large:
        buffer = pickle.PickleBuffer(large)
        with pytest.raises(ringlog.EventTooLarge):
            CODEC.encode(buffer)
        buffer.release()


SAMPLE = encoded(CODEC, {"key": np.arange(20), "more": pickle.PickleBuffer(b"x" * 70)})


@pytest.mark.parametrize("size", range(len(SAMPLE)))
def test_every_truncation_is_refused(size: int) -> None:
    assert_refused(CODEC, SAMPLE[:size])


def test_something_behind_it_is_refused() -> None:
    assert_refused(CODEC, SAMPLE + b"\0")


@given(st.data())
def test_a_flipped_bit_before_the_buffers_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 39))
    broken = bytearray(SAMPLE)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    assert_refused(CODEC, bytes(broken))


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    assert_refused(CODEC, data)
    assert_refused(CODEC, b"RLP5" + data)


NONE = pickle.dumps(None, 5)
HOSTILE = {
    "more buffers than bytes": frame(NONE, [], count=0xFFFFFFFF),
    "a few more buffers than bytes": frame(NONE, [], count=3),
    "a pickle longer than the frame": b"RLP5" + struct.pack("<III", 0, 0, 0xFFFFFFFF) + NONE,
    "a buffer longer than the frame": frame(NONE, [0xFFFFFFFF], bytes(100)),
    "buffers whose sum is longer": frame(NONE, [0xFFFFFFFF] * 1000, bytes(100)),
    "a buffer shorter than the frame": frame(NONE, [1], bytes(200)),
    "a buffer that the pickle does not ask for": frame(NONE, [0], bytes(-(20 + len(NONE)) % 64)),
    "a pickle that asks for a buffer": frame(b"\x80\x05\x97.", []),
    "no pickle": frame(b"", []),
    "half a pickle": frame(pickle.dumps([1, 2, 3], 5)[:-4], []),
    "not a pickle": frame(b"hello", []),
    "a pickle that claims a length": frame(b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b".", []),
    "a class that is not there": frame(b"cnowhere\nNothing\n.", []),
    "a plain pickle": NONE,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_frames_that_contradict_themselves_are_refused(data: bytes) -> None:
    assert_refused(CODEC, data)


class Refuses:
    def __setstate__(self, state: object) -> None:
        raise KeyError("not with me")


def test_the_cause_is_kept() -> None:
    value = Refuses()
    value.state = 1
    error = assert_refused(CODEC, encoded(CODEC, value))
    assert isinstance(error.__cause__, KeyError)
    assert "KeyError: 'not with me'" in str(error)


def test_what_runs_is_what_was_summed() -> None:
    """Memory that changes while it is decoded, as under a reader that is lapped."""
    memory = bytearray(encoded(CODEC, Lapped()))
    Lapped.memory = memory
    assert CODEC.decode(memory) == "first"
    Lapped.memory = None


class Lapped:
    """While it is unpickled, all of the frame is overwritten, the rest of the pickle too."""

    memory: bytearray | None = None

    def __reduce__(self) -> tuple:
        return pick, (Overwrites(), "first")


class Overwrites:
    def __reduce__(self) -> tuple:
        return overwrite, ()


def overwrite() -> None:
    if Lapped.memory is not None:
        memoryview(Lapped.memory)[:] = b"\xff" * len(Lapped.memory)


def pick(*values: object) -> object:
    return values[-1]
