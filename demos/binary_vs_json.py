"""A small event as JSON and as bytes: how large it is, and what writing and reading it costs.

It is the seed's event, a time and "hello", with the time in nanoseconds as an EventEntry has it. The ways
take turns in short rounds, so that a busy moment of the machine hits them alike; the medians are shown.
"""

import json
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from timeit import timeit

import ringlog

TIMESTAMP, TEXT, DATA = 1640995200000000000, "hello", b"hello"
ENTRY = struct.Struct("<qII")  # timestamp, size of the data, CRC-32 of the data; then comes the data
ROUNDS, CALLS = 25, 2_000
Call = Callable[[], object]


def write_json() -> bytes:
    return json.dumps({"timestamp": TIMESTAMP, "data": TEXT}).encode()


def read_json(message: bytes) -> tuple[int, str]:
    event = json.loads(message)
    return event["timestamp"], event["data"]


def write_entry() -> bytes:
    return ENTRY.pack(TIMESTAMP, len(DATA), zlib.crc32(DATA)) + DATA


def read_entry(message: bytes) -> tuple[int, bytes]:
    timestamp, size, checksum = ENTRY.unpack_from(message)
    data = message[ENTRY.size : ENTRY.size + size]
    if zlib.crc32(data) != checksum:
        raise ValueError("the data is damaged")
    return timestamp, data


def main(path: str) -> bool:
    text, entry = write_json(), write_entry()
    right = read_json(text) == (TIMESTAMP, TEXT) and read_entry(entry) == (TIMESTAMP, DATA)
    with ringlog.Writer(path) as writer, ringlog.Reader(path) as reader:
        ways: list[tuple[str, int, Call, Call]] = [
            ("JSON", len(text), write_json, partial(read_json, text)),
            ("EventEntry by struct", len(entry), write_entry, partial(read_entry, entry)),
            ("EventEntry by ringlog", len(entry), partial(writer.append, DATA), reader.poll),
        ]
        writing: list[list[float]] = [[] for _ in ways]
        reading: list[list[float]] = [[] for _ in ways]
        for _ in range(ROUNDS):
            for number, (_, _, write, read) in enumerate(ways):
                writing[number].append(timeit(write, number=CALLS) / CALLS * 1e9)
                reading[number].append(timeit(read, number=CALLS) / CALLS * 1e9)
        right = right and reader.sequence == ROUNDS * CALLS
        right = right and ringlog.info(path).write_offset == 24 + ROUNDS * CALLS * len(entry)
    for (name, size, _, _), writes, reads in zip(ways, writing, reading, strict=True):
        print(f"{name:21}  {size} bytes   write {median(writes):5.0f} ns   read {median(reads):5.0f} ns")
    print("JSON has no checksum; ringlog also locks, takes the time, and reaches every process that reads.")
    return right and len(entry) < len(text) and median(reading[2]) < median(reading[0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        try:
            sys.exit(0 if main(f"{folder}/events.ring") else 1)
        finally:
            ringlog.unlink(f"{folder}/events.ring")
