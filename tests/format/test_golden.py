"""The format, byte by byte: a change here breaks every ring that exists."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib

import pytest
from oracle import ENTRY, FIELDS, FIRST, HEADER_SIZE, MAGIC, RingFile, decode

import ringlog
from ringlog import _core

STREAM_ID = bytes(range(16))
FILE_ID = bytes(range(16, 32))
BOOT_ID = bytes(range(32, 48))
CREATED = 1_700_000_000_123_456_789
T0 = 1_600_000_000_000_000_000


def formatted(capacity: int = 1 << 20, max_readers: int = 64) -> bytes:
    return _core.format_header(capacity, max_readers, CREATED, STREAM_ID, FILE_ID, BOOT_ID)


def test_the_header_of_an_empty_ring_is_these_bytes() -> None:
    header = formatted()
    assert len(header) == 65536
    assert header[:192].hex() == (
        "1800000000000000" "0000000000000000" "15cd853dfe9c9717" "0000000000000000"
        "1800000000000000" "0000000000000000" "0000000000000000" "0000000000000000"
        "72696e676c6f670a" "01000000" "04030201" "0000000000000000" "0000010000000000"
        "0000100000000000" "0040000000000000" "80000000" "40000000" "40000000" "00000000"
        "000102030405060708090a0b0c0d0e0f" "101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f" "15cd853dfe9c9717" "0000000000000000"
    )  # fmt: skip
    expected = bytearray(65536)
    expected[:192] = header[:192]
    for offset in (192, 200, 256, 264, 4096):  # tail, its record, gate, its record, the first mark
        struct.pack_into("<q", expected, offset, FIRST)
    assert header == bytes(expected)
    assert hashlib.sha256(header).hexdigest() == (
        "d398eb184d0a790b23fee24afdf64155a88c7a95750a57c12e8f314dad02bd00"
    )


@pytest.mark.parametrize(
    ("name", "offset", "value"),
    [
        ("write_offset", 0, 24),
        ("event_count", 8, 0),
        ("start_timestamp", 16, CREATED),
        ("head[0].position", 32, 24),
        ("version", 72, 1),
        ("byte_order", 76, 0x01020304),
        ("features", 80, 0),
        ("data_start", 88, 65536),
        ("capacity", 96, 1 << 20),
        ("stride", 104, 1 << 14),
        ("mark_count", 112, 128),
        ("max_writers", 116, 64),
        ("max_readers", 120, 64),
        ("created", 176, CREATED),
        ("tail_offset", 192, 24),
        ("gate_offset", 256, 24),
        ("jump", 296, 0),
        ("jumped", 304, 0),
        ("owner", 320, 0),
    ],
)
def test_fields_of_an_empty_ring(name: str, offset: int, value: int) -> None:
    at, code = FIELDS[name]
    assert at == offset
    assert struct.unpack_from("<" + code, formatted(), at)[0] == value


def test_the_header_begins_with_the_streams_own_24_bytes() -> None:
    assert struct.unpack_from("<qqq", formatted()) == (24, 0, CREATED)
    assert formatted()[64:72] == MAGIC == b"ringlog\n"


@pytest.mark.parametrize(
    ("capacity", "readers", "data_start"),
    [
        (65536, 1, 65536),
        (65536, 64, 65536),
        (65536, 192, 65536),  # 16 KiB and 192 slots of 256 bytes: exactly 64 KiB
        (65536, 193, 131072),
        (65536, 4096, 17 * 65536),
        (32 << 20, 64, 65536),
        (64 << 20, 64, 2 << 20),
        (64 << 20, 4096, 2 << 20),
        (1 << 40, 64, 2 << 20),
    ],
)
def test_data_start_is_aligned(capacity: int, readers: int, data_start: int) -> None:
    header = formatted(capacity, readers)
    assert len(header) == data_start
    assert struct.unpack_from("<q", header, 88)[0] == data_start
    assert struct.unpack_from("<q", header, 104)[0] == capacity // 64
    assert data_start >= HEADER_SIZE + 256 * readers


def test_the_bytes_of_a_small_stream(ring_path: str) -> None:
    """Three events: the stream's header, then the entries back to back, as in a log file."""
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"hello", timestamp=T0)
        writer.append_many([b"", b"\x00\xff" * 3], timestamp=T0 + 1)
    with RingFile(ring_path) as file:
        assert file.memory[:16] == struct.pack("<qq", 24 + 21 + 16 + 22, 3)
        assert file["start_timestamp"] == ringlog.info(ring_path).start_timestamp
        assert file.memory[65536 : 65536 + 59].hex() == (
            struct.pack("<qII", T0, 5, 0x3610A686).hex() + b"hello".hex()
            + struct.pack("<qII", T0 + 1, 0, 0).hex()
            + struct.pack("<qII", T0 + 1, 6, zlib.crc32(b"\x00\xff" * 3)).hex() + "00ff00ff00ff"
        )  # fmt: skip
        assert not any(file.memory[65536 + 59 :])


def test_positions_wrap_at_the_capacity(ring_path: str) -> None:
    """Position p is at byte data_start + (p - 24) % capacity, also where an entry crosses the end."""
    ringlog.create(ring_path, 65536)
    payloads = [bytes([k % 251]) * (k * 7 % 900) for k in range(400)]
    with ringlog.Writer(ring_path) as writer:
        position, crossed = FIRST, 0
        for payload in payloads:
            writer.append(payload)
            end = position + ENTRY.size + len(payload)
            with RingFile(ring_path, writable=False) as file:
                raw = bytes(file.memory[65536 + (p - 24) % 65536] for p in range(position + ENTRY.size, end))
                assert raw == payload
                assert file["write_offset"] == end
            crossed += (position - FIRST) // 65536 != (end - 1 - FIRST) // 65536
            position = end
    assert crossed >= 2


def test_the_oracle_and_the_reader_agree(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        for k in range(1000):
            writer.append(b"%d:" % k + bytes(k % 300))
    with ringlog.Reader(ring_path, start="oldest") as reader:
        seen = [tuple(event) for event in reader.read_many(10_000)]
    assert seen == decode(ring_path)
    assert seen[-1][0] == 999
    assert abs(seen[-1][1] - time.time_ns()) < 3600e9


def test_the_two_head_records_take_turns(ring_path: str) -> None:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer, RingFile(ring_path) as file:
        last = (24, 0)
        for k in range(1, 6):
            writer.append(b"x")
            records = {(file[f"head[{i}].position"], file[f"head[{i}].sequence"]) for i in (0, 1)}
            now = (24 + 17 * k, k)
            assert records == {last, now}
            assert (file["write_offset"], file["event_count"]) == now
            last = now


def test_a_ring_is_little_endian_on_this_machine() -> None:
    assert formatted()[76:80] == bytes([4, 3, 2, 1])


def test_every_stride_has_a_mark_at_its_first_boundary(ring_path: str) -> None:
    """Marks are how seeking avoids walking: {position, sequence, timestamp of the entry before}."""
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        for k in range(3000):
            writer.append(bytes(50), timestamp=T0 + k)
    with RingFile(ring_path) as file:
        places, head = file.places(), file.pair("head")
        boundaries: dict[int, tuple[int, int]] = {}
        for place in [*places[1:], head]:
            boundaries.setdefault((place.position - FIRST) // 1024, place)
        boundaries.pop((places[1].position - FIRST) // 1024)  # its first one may be gone already
        for stride, (position, sequence) in boundaries.items():
            at = 4096 + stride % 128 * 32
            mark = struct.unpack_from("<qqq", file.memory, at)
            assert mark == (position, sequence, T0 + sequence - 1)
