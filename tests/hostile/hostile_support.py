"""What the planted states share: a ring with events in known places, and a hand that writes numbers."""

from __future__ import annotations

import struct

from oracle import FIRST, RingFile

import ringlog

CAPACITY = 65536
SIZE = 100
STEP = 16 + SIZE
COUNT = 10
HIGHEST = (1 << 63) - 1
LOWEST = -(1 << 63)


def payload(sequence: int) -> bytes:
    return sequence.to_bytes(4, "little") * (SIZE // 4)


def position(sequence: int) -> int:
    return FIRST + STEP * sequence


def plant(file: RingFile, offset: int, code: str, *values: int) -> None:
    struct.pack_into("<" + code, file.memory, offset, *values)


def append_until_full(writer: ringlog.Writer) -> None:
    for _ in range(3):  # the third has to move the tail
        writer.append(bytes(30_000))
