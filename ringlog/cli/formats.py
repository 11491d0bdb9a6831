"""How ``ringlog tail`` prints events: raw, as JSON lines, or as a hex dump."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence

import ringlog

Format = Callable[[Sequence[ringlog.Event]], bytes]

_quote = json.JSONEncoder(ensure_ascii=False).encode
_HEX = tuple(f"{byte:02x}" for byte in range(256))
_SHOWN = bytes(byte if 0x20 <= byte < 0x7F else 0x2E for byte in range(256))


def raw(terminator: bytes) -> Format:
    """The data and nothing else, each event followed by ``terminator``."""

    def join(events: Sequence[ringlog.Event]) -> bytes:
        return terminator.join([event.data for event in events]) + terminator if events else b""

    return join


def as_json(events: Sequence[ringlog.Event]) -> bytes:
    """One object a line; data that is not UTF-8 stands in ``data_base64`` instead of ``data``."""
    return "".join(map(_json_line, events)).encode()


def _json_line(event: ringlog.Event) -> str:
    sequence, timestamp, data = event.sequence, event.timestamp, event.data
    try:
        content = f'"data":{_quote(data.decode())}'
    except UnicodeDecodeError:
        content = f'"data_base64":"{base64.b64encode(data).decode("ascii")}"'
    return (
        f'{{"sequence":{sequence},"timestamp":{timestamp},"time":"{iso_time(timestamp)}",'
        f'"size":{len(data)},{content}}}\n'
    )


def hex_dump(coloured: bool) -> Format:
    """A line about each event, then its bytes as ``hexdump -C`` shows them."""
    before, after = ("\x1b[1m", "\x1b[0m") if coloured else ("", "")

    def dump(events: Sequence[ringlog.Event]) -> bytes:
        lines = []
        for event in events:
            when, size = iso_time(event.timestamp), len(event.data)
            unit = "byte" if size == 1 else "bytes"
            lines.append(f"{before}# {event.sequence}  {when}  {size} {unit}{after}\n")
            lines.extend(_hex_line(event.data, at) for at in range(0, size, 16))
        return "".join(lines).encode()

    return dump


def _hex_line(data: bytes, at: int) -> str:
    row = data[at : at + 16]
    left = " ".join([_HEX[byte] for byte in row[:8]])
    right = " ".join([_HEX[byte] for byte in row[8:]])
    return f"{at:08x}  {left:<23}  {right:<23}  |{row.translate(_SHOWN).decode('ascii')}|\n"


def log_lines() -> Format:
    """What `ringlog.logging` writes: a line about each record, its traceback below; text as it is."""
    from ringlog._logging import forms  # not for the other formats

    def join(events: Sequence[ringlog.Event]) -> bytes:
        lines = []
        for event in events:
            record = forms.from_event(event.data, event.timestamp)
            if getattr(record, "is_text", False):
                lines.append(event.data)
                continue
            who = f"{record.name}[{record.process}]" if record.process else record.name
            when = iso_time(int(record.created * 1e6) * 1000)[:-4]
            text = f"{when}Z {record.levelname} {who}: {record.getMessage()}"
            below = [part for part in (record.exc_text, record.stack_info) if part]
            lines.append(forms.to_text("\n".join((text, *map(str, below)))))
        return b"\n".join(lines) + b"\n" if lines else b""

    return join


def iso_time(nanoseconds: int) -> str:
    """``2026-01-31T14:00:00.000000001Z``."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    try:
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}.{fraction:09d}"  # later than the calendar goes
    return f"{whole}.{fraction:09d}Z"
