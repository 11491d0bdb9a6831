"""Does a file really hold the messages? An independent decoder, run after each row's timed pass."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence


class WrongFile(Exception):
    """A row did not write what it was timed for."""


def check(content: bytes, messages: Sequence[bytes], *, summed: bool = True) -> None:
    """Raise `WrongFile` unless `content` is a stream of exactly `messages`.

    `summed=False` leaves the checksums unread.
    """
    if len(content) < 24:
        raise WrongFile(f"no header in {len(content)} bytes")
    write_offset, event_count, start_timestamp = struct.unpack_from("<qqq", content)
    if event_count != len(messages):
        raise WrongFile(f"header counts {event_count} events, written were {len(messages)}")
    if start_timestamp <= 0:
        raise WrongFile(f"start_timestamp is {start_timestamp}")
    at = 24
    for number, message in enumerate(messages):
        if len(content) < at + 16 + len(message):
            raise WrongFile(f"event {number} at {at} is cut off")
        timestamp, size, checksum = struct.unpack_from("<qII", content, at)
        data = content[at + 16 : at + 16 + size]
        if timestamp <= 0:
            raise WrongFile(f"event {number} has the timestamp {timestamp}")
        if data != message:
            raise WrongFile(f"event {number} holds other data than was written")
        if summed and checksum != zlib.crc32(message):
            raise WrongFile(f"event {number} has the checksum {checksum:#010x}")
        at += 16 + size
    if write_offset != at:
        raise WrongFile(f"write_offset is {write_offset}, the entries end at {at}")
