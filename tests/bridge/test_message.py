"""Headers: text that says which events a message has, and that is not believed as it stands."""

from __future__ import annotations

import email.header
from typing import Any

import pytest

from ringlog.bridge import BadMessage
from ringlog.bridge.message import Header, Stream, derived_id

STREAM = Stream("0123456789abcdef" * 2, 1_700_000_000_000_000_001)
HEADER = Header(STREAM, 7, 3, 1_700_000_000_000_000_009)


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        Header(STREAM, 0, 1, 1),
        Header(STREAM, 10, 0, 5, ended=True),
        Header(Stream("", STREAM.start), (1 << 61) - 2, 1, 5),
    ],
)
def test_as_text_and_back(header: Header) -> None:
    headers = header.as_headers()
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in headers.items())
    assert Header.of(headers) == header


def test_the_id_names_the_events_and_no_others() -> None:
    others = [
        Header(Stream("f" * 32, STREAM.start), 7, 3, HEADER.time),
        Header(STREAM, 8, 3, HEADER.time),
        Header(STREAM, 7, 4, HEADER.time),
        Header(STREAM, 7, 0, HEADER.time, ended=True),
    ]
    ids = [HEADER.id, *(each.id for each in others)]
    assert len(set(ids)) == len(ids)
    assert Header(STREAM, 7, 3, 99).id == HEADER.id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Ringlog-Format", None),
        ("Ringlog-Format", "2"),
        ("Ringlog-Stream", "xyz"),
        ("Ringlog-Stream", "abcd"),
        ("Ringlog-Stream", "AB" * 16),
        ("Ringlog-Stream", " ".join(["ab"] * 16)),
        ("Ringlog-Start", None),
        ("Ringlog-Start", str(1 << 63)),
        ("Ringlog-Start", "0"),
        ("Ringlog-Start", "soon"),
        ("Ringlog-Sequence", "-1"),
        ("Ringlog-Sequence", str(1 << 61)),
        ("Ringlog-Sequence", "1.5"),
        ("Ringlog-Count", "0"),
        ("Ringlog-Count", None),
        ("Ringlog-Time", "-3"),
        ("Ringlog-Time", str(1 << 63)),
        ("Ringlog-Ended", "1"),  # with events
    ],
)
def test_what_is_none_of_ours(key: str, value: str | None) -> None:
    headers = HEADER.as_headers()
    if value is None:
        del headers[key]
    else:
        headers[key] = value
    with pytest.raises(BadMessage):
        Header.of(headers)


def test_what_the_client_could_not_read() -> None:
    """It makes something else of what is not ASCII than text."""
    headers: dict[str, Any] = {
        **HEADER.as_headers(),
        "Ringlog-Count": email.header.Header(b"\xff", "latin-1"),
    }
    with pytest.raises(BadMessage, match="Ringlog-Count"):
        Header.of(headers)


def test_no_headers_at_all() -> None:
    with pytest.raises(BadMessage, match="not ringlog's"):
        Header.of(None)


def test_a_log_has_no_id_and_is_told_by_its_start() -> None:
    log = Stream("", STREAM.start)
    assert log.is_same(STREAM)
    assert STREAM.is_same(log)
    assert Stream(derived_id(STREAM.start), STREAM.start).is_same(STREAM)  # a copy that was made of a log
    assert not log.is_same(Stream("", STREAM.start + 1))
    assert not Stream("1" * 32, STREAM.start).is_same(STREAM)
    assert len(log.ring_id) == 32
    assert log.ring_id == Stream("", STREAM.start).ring_id
