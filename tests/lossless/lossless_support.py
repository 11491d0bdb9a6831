"""What the tests of lossless and named readers share."""

from __future__ import annotations

import ringlog

SIZE = 1000 - 16  # 65 events of these fit into the smallest ring
HOLD = """
    with ringlog.Reader(path, lossless=True, name=sys.argv[2] or None) as reader:
        say("attached")
        sys.stdin.readline()
    """


def fill(writer: ringlog.Writer, limit: int = 1000) -> int:
    """Append until there is no room; how many went in."""
    for count in range(limit):
        try:
            writer.append(b"%06d" % count + bytes(SIZE - 6))
        except ringlog.RingFull:
            return count
    return limit


def drained(reader: ringlog.Reader) -> list[int]:
    return [event.sequence for event in reader.read_many(10_000)]


def opened(path: str, name: str = "n", **options: object) -> ringlog.Reader:
    """A named reader that begins at the oldest event, if the name is new."""
    return ringlog.Reader(path, name=name, start="oldest", **options)


def resumes_at(path: str, name: str = "n") -> int:
    """Where the next reader of this name begins; it asks for nothing itself."""
    reader = ringlog.Reader(path, name=name)
    sequence = reader.sequence
    reader.close()
    return sequence
