"""Log records as bytes, and back: JSON with everything of a record that can be kept, or lines of text.

JSON is made by msgspec if it is installed, and by the standard library if not, or if msgspec refuses: what
comes out at the other end is the same.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

_standard_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode
_fast_encode: Callable[[Any], bytes] | None = None
_fast_decode: Callable[[bytes], Any] | None = None
try:
    import msgspec
except ModuleNotFoundError:
    pass
else:
    _fast_encode, _fast_decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode

DEEPEST = 20  # containers in containers; what is further in comes as text
_PLAIN = frozenset((str, int, bool, type(None)))
_RENDERED = ("args", "message", "exc_info", "asctime")  # kept as msg, exc_text; the time is in `created`
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"taskName", *_RENDERED}
_BLANK = logging.makeLogRecord({}).__dict__  # nobody's: of types that %d and %s take
_BLANK.update(process=0, processName="-", thread=0, threadName="-", relativeCreated=0.0)
if "taskName" in _BLANK:  # from Python 3.12 on
    _BLANK["taskName"] = None
_LEVELS = {"warn": logging.WARNING, "exception": logging.ERROR, "fatal": logging.CRITICAL}
_EVENT_KEYS = ("event", "level", "logger", "exception", "stack")


def record_to_json(record: logging.LogRecord, format_exception: Callable[[Any], str]) -> bytes:
    """All of a record that JSON can hold: the message with its arguments, the traceback as text, the
    attributes given as `extra` (what JSON has no type for as str). The record stays as it was."""
    fields = record.__dict__.copy()
    fields["msg"] = record.getMessage()
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = format_exception(record.exc_info)
    for name in _RENDERED:
        fields.pop(name, None)
    for name in fields.keys() - _STANDARD:
        fields[name] = plain(fields[name])
    return to_json(fields)


def to_json(value: Any) -> bytes:
    """JSON of a plain value."""
    if _fast_encode is not None:
        try:
            return _fast_encode(value)
        except Exception:  # half a surrogate pair, an integer of a hundred digits, a subclass of str
            pass
    return _standard_encode(value).encode()


def plain(value: Any, depth: int = 0) -> Any:
    """The value, of what JSON has: dicts, lists, str, int, finite float, bool, None. Anything else as its
    str."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth < DEEPEST:
        if isinstance(value, Mapping):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [plain(item, depth + 1) for item in value]
    try:
        return str(value)
    except Exception as error:  # an object that can't even be shown must not cost the whole record
        return f"<{kind.__name__} whose str() raised {type(error).__name__}>"


def to_text(line: str) -> bytes:
    """UTF-8, also of a string with halves of surrogate pairs (a file name, say)."""
    return line.encode("utf-8", "backslashreplace")


def from_event(data: bytes, timestamp: int) -> logging.LogRecord:
    """The record that an event holds; timestamp: the event's, in nanoseconds.

    Text becomes the message of a record of level INFO with the attribute `is_text`. So does whatever else
    there may be in a ring: nothing is thrown away.
    """
    fields = _load(data)
    if fields is not None:
        if (
            isinstance(fields.get("msg"), str)
            and isinstance(fields.get("levelno"), int)
            and isinstance(fields.get("name"), str)
            and "created" in fields
        ):
            return _record(fields)
        if isinstance(fields.get("event"), str):
            return _from_structlog(fields, timestamp)
    text = {"name": "ringlog", "msg": data.decode("utf-8", "backslashreplace"), "is_text": True}
    return _made(text, logging.INFO, timestamp)


def _load(data: bytes) -> dict[str, Any] | None:
    if data[:1] != b"{":
        return None
    value: Any = None
    try:
        value = (_fast_decode or json.loads)(data)
    except Exception:
        if _fast_decode is not None:
            try:
                value = json.loads(data)
            except (ValueError, RecursionError):
                return None
    return value if isinstance(value, dict) else None


def _from_structlog(event: dict[str, Any], timestamp: int) -> logging.LogRecord:
    """An event dict: what has the name of an attribute of records stays in `event_dict` alone."""
    level = str(event.get("level", "info")).lower()
    number = _LEVELS.get(level) or logging.getLevelName(level.upper())
    extra = {key: value for key, value in event.items() if key not in _STANDARD and key not in _EVENT_KEYS}
    fields = {
        **extra,
        "event_dict": event,
        "msg": event["event"],
        "name": str(event.get("logger", "structlog")),
    }
    if isinstance(event.get("exception"), str):
        fields["exc_text"] = event["exception"]
    if isinstance(event.get("stack"), str):
        fields["stack_info"] = event["stack"]
    for name in (
        "process",
        "processName",
        "thread",
        "threadName",
        "pathname",
        "lineno",
        "filename",
        "module",
    ):
        if name in event:  # structlog's CallsiteParameterAdder
            fields[name] = event[name]
    return _made(fields, number if isinstance(number, int) else logging.INFO, timestamp)


def _made(fields: dict[str, Any], level: int, timestamp: int) -> logging.LogRecord:
    """A record of which we know when it was written, but not by whom."""
    time = {"created": timestamp / 1e9, "msecs": timestamp // 1_000_000 % 1000 + 0.0}
    return _record({**time, "levelno": level, "levelname": logging.getLevelName(level), **fields})


def _record(fields: dict[str, Any]) -> logging.LogRecord:
    """Not by makeLogRecord: that asks first who we are and what time it is, and half of decoding was that."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__.update(_BLANK)
    record.__dict__.update(fields)
    return record
