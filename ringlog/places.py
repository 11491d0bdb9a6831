"""Where a reader starts, and what it is called: what may be given, checked before anything is opened."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal

from ringlog import _core

Start = Literal["latest", "oldest"] | int | datetime
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def check_start(start: object) -> None:
    if start in ("latest", "oldest") or isinstance(start, datetime):
        return
    if isinstance(start, bool) or not isinstance(start, int):
        if isinstance(start, str):
            raise ValueError(f'start must be "latest", "oldest", a sequence or a datetime, not {start!r}')
        raise TypeError(f"start must be a str, an int or a datetime, not {type(start).__name__}")
    if start < 0:
        raise ValueError(f"a sequence is 0 or more, not {start}")


def check_name(name: str | None) -> bytes:
    if name is None:
        return b""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    raw = name.encode()
    if not 1 <= len(raw) <= _core.NAME_BYTES:
        raise ValueError(f"a name has 1 to {_core.NAME_BYTES} bytes of UTF-8, not {len(raw)}")
    return raw


def unix_nanoseconds(moment: datetime) -> int:
    """Exact to the microsecond that a datetime knows. Naive is local time."""
    nanoseconds = (moment.astimezone(timezone.utc) - _EPOCH) // timedelta(microseconds=1) * 1000
    return max(0, min(nanoseconds, (1 << 63) - 1))  # what a timestamp can be: 1970 to 2262
