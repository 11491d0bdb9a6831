"""The message that has an event: a search by a stream's own sequences, in which messages may be missing."""

from __future__ import annotations

from ringlog.bridge.message import Header, Stream
from ringlog.bridge.nats import streams
from ringlog.bridge.nats.connection import Connection


def reaches(header: Header, stream: Stream, sequence: int) -> bool:
    """Does it have this event of this stream, or stand behind it?

    Messages of older streams stand before those of the newest, so once this is true it stays true.
    """
    return header.stream.is_same(stream) and header.next + header.ended > sequence


async def number_of(connection: Connection, name: str, subject: str, sequence: int) -> int | None:
    """Where to begin so that the first message is the one with this event of the newest stream, or else the
    first one behind it, or the next one that comes; None: there is no message.

    Raises BadMessage, where it comes across a message that is none of ringlog's; Interrupted.
    """
    newest = await streams.newest(connection, name, subject)
    if newest is None:
        return None
    stream = newest.header.stream
    if not reaches(newest.header, stream, sequence):
        return newest.number + 1
    oldest = await streams.first_from(connection, name, subject, 1)
    if oldest is None or oldest.number > newest.number or reaches(oldest.header, stream, sequence):
        return oldest.number if oldest is not None else newest.number
    # What is wanted stands in (low, high], and high is one that does.
    low, low_header, high, high_header = oldest.number, oldest.header, newest.number, newest.header
    guess = True
    while high - low > 1:
        middle = (low + high) // 2
        if guess and low_header.stream.is_same(stream):
            # Messages are of about one size: two or three looks then do. Every other look halves.
            events = high_header.sequence - low_header.sequence
            part = (sequence - low_header.sequence) / events if events > 0 else 0.5
            middle = min(high - 1, max(low + 1, low + int((high - low) * part)))
        guess = not guess
        found = await streams.first_from(connection, name, subject, middle)
        if found is None or found.number >= high:
            high = middle  # nothing is left from there to the one known to do
            continue
        if reaches(found.header, stream, sequence):
            high, high_header = min(middle, found.number), found.header
        else:
            low, low_header = found.number, found.header
    return high
