"""What crosses: runs of stream bytes, and a header that says which events they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ringlog.bridge.errors import BadMessage

FORMAT = "1"
_FORMAT = "Ringlog-Format"
_STREAM = "Ringlog-Stream"
_START = "Ringlog-Start"
_SEQUENCE = "Ringlog-Sequence"
_COUNT = "Ringlog-Count"
_TIME = "Ringlog-Time"
_ENDED = "Ringlog-Ended"
LARGEST = 1 << 61  # as far as sequences and positions go
LATEST = 1 << 63  # as far as times go, in nanoseconds
_ID = re.compile(r"([0-9a-f]{32})?")  # as it is written here: one stream has one way to write it


class Stream(NamedTuple):
    """Which stream: its id (32 hex digits; "" from a log, which has none) and its start_timestamp."""

    id: str
    start: int

    def is_same(self, other: Stream) -> bool:
        """Is it the same stream? Where one of the two has no id, the start alone tells, as for logs."""
        return self.start == other.start and (not self.own or not other.own or self.id == other.id)

    @property
    def own(self) -> bool:
        """Has it an id that a ring was given, and not one that was made of its start?"""
        return self.id not in ("", derived_id(self.start))

    @property
    def ring_id(self) -> str:
        """The id for a ring that holds a copy."""
        return self.id or derived_id(self.start)

    def __str__(self) -> str:
        return self.ring_id[:12]


def derived_id(start: int) -> str:
    """An id for a stream that is only known by its start: always the same."""
    return hashlib.sha256(b"ringlog stream %d" % start).hexdigest()[:32]


@dataclass(frozen=True)
class Header:
    """Which events a message has: `count` from `sequence` on, the last one published at `time` (Unix ns).

    ended: the stream ended before event `sequence`; such a message has no events.
    """

    stream: Stream
    sequence: int
    count: int
    time: int
    ended: bool = False

    @property
    def next(self) -> int:
        """The sequence behind its last event."""
        return self.sequence + self.count

    @property
    def id(self) -> str:
        """The same for the same events of the same stream, and only for them."""
        return f"{self.stream.ring_id}.{self.sequence}.{'end' if self.ended else self.count}"

    def as_headers(self) -> dict[str, str]:
        """As a message's headers, text to text."""
        headers = {
            _FORMAT: FORMAT,
            _STREAM: self.stream.id,
            _START: str(self.stream.start),
            _SEQUENCE: str(self.sequence),
            _COUNT: str(self.count),
            _TIME: str(self.time),
        }
        return {**headers, _ENDED: "1"} if self.ended else headers

    @classmethod
    def of(cls, headers: Mapping[str, str] | None) -> Header:
        """From a message's headers. Raises BadMessage: it is none of ours, or of a later format."""
        # What is not ASCII comes out of the client as something else than text.
        headers = {key: value for key, value in (headers or {}).items() if isinstance(value, str)}
        if headers.get(_FORMAT) != FORMAT:
            raise BadMessage(
                f"a message of format {headers.get(_FORMAT, 'none')!r}, not {FORMAT}: not ringlog's"
            )
        try:
            header = cls(
                Stream(headers.get(_STREAM, "").strip(), int(headers[_START])),
                int(headers[_SEQUENCE]),
                int(headers[_COUNT]),
                int(headers[_TIME]),
                headers.get(_ENDED) == "1",
            )
        except (KeyError, ValueError) as error:
            raise BadMessage(f"a message with damaged headers: {error}") from None
        whole = (
            _ID.fullmatch(header.stream.id) is not None
            and 0 < header.stream.start < LATEST
            and 0 <= header.sequence < LARGEST
            and 0 <= header.time < LATEST
            and (header.count == 0 if header.ended else 0 < header.count < LARGEST)
        )
        if not whole:
            raise BadMessage(f"a message with impossible headers: {dict(headers)}")
        return header


class Message(NamedTuple):
    """A header, and the bytes of its entries back to back, as they stand in the stream."""

    header: Header
    data: bytes
