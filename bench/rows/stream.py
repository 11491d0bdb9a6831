"""The seed's file format, as a Python user would write it down."""

from __future__ import annotations

import struct

HEADER = struct.Struct("<qqq")  # write_offset, event_count, start_timestamp
COUNTERS = struct.Struct("<qq")  # the part of the header that changes with each message
ENTRY = struct.Struct("<qII")  # timestamp, size, checksum; the data follows
