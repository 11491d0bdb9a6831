"""How many bytes a message is on a link: the event's 16, NATS's lines and headers, TCP, IP and Ethernet."""

from __future__ import annotations

from ringlog.bridge.message import Header, Stream

ENTRY = 16  # before each event's data, in a ring and in a message
FRAME, PAYLOAD = 1538, 1448  # bytes of an Ethernet frame with its gap, and of TCP's data in it
_STREAM, _SUBJECT, _ID, _TIME = "ringlog_ticks", "ringlog.ticks", "7f3a" * 8, 1_795_000_000_000_000_000
_REPLY = f"$JS.ACK.{_STREAM}.{'c' * 27}.1.123456789.123456789.{_TIME}.0"


def headers(count: float) -> int:
    """Bytes of the headers of one of the bridge's messages that has `count` events."""
    header = Header(Stream(_ID, _TIME), 1_000_000_000, max(1, round(count)), _TIME)
    lines = {
        **header.as_headers(),
        "Nats-Msg-Id": header.id,
        "Nats-Expected-Stream": _STREAM,
        "Nats-Expected-Last-Sequence": "123456789",
        "Nats-Expected-Last-Msg-Id": header.id,
    }
    return len("NATS/1.0\r\n\r\n") + sum(len(f"{name}: {value}\r\n") for name, value in lines.items())


def on_link(size: float) -> float:
    """TCP's data on a link; small messages share frames while there are many."""
    return size * FRAME / PAYLOAD


def of_run(count: float, size: int) -> float:
    """Bytes on a link of a message of the bridge with `count` events of `size` bytes."""
    data = count * (ENTRY + size)
    head = headers(count)
    line = len(f"HMSG {_SUBJECT} 1 {_REPLY} {head} {head + round(data)}\r\n\r\n")
    return on_link(line + head + data)


def of_event(size: int) -> float:
    """Bytes on a link of one event of `size` bytes as a message of its own, without headers."""
    return on_link(len(f"MSG {_SUBJECT} 1 {_REPLY} {size}\r\n\r\n") + size)
