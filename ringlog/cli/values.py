"""The values that options take: sizes, modes, durations, rates, and where to start reading."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import click

from ringlog.words import size_text as size_text

T = TypeVar("T")

if TYPE_CHECKING:  # generic only in later releases of click
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType

_SIZE = re.compile(r"(\d+) ?([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_SPAN = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)([kM]?)(?:/s)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NEVER = datetime(2262, 1, 1, tzinfo=timezone.utc)
_LARGEST = (1 << 63) - 1  # size, sequence: what the system and the format count in
_DIGITS = len(str(_LARGEST))
_FRACTION = re.compile(r"[.,](\d+)")


@dataclass(frozen=True)
class Newest:
    """Start so far back that this many events come before the next one."""

    events: int


Start = Literal["oldest", "latest"] | int | datetime | Newest


class _Value(_ParamType, Generic[T]):
    """An option's type made from one function that raises ValueError with what was expected."""

    def parse(self, text: str) -> T:
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)


class Size(_Value[int]):
    name = "size"

    def parse(self, text: str) -> int:
        found = _SIZE.fullmatch(text.strip())
        if not found:
            raise ValueError("a size such as 65536, 64K, 16M or 1G")
        if len(found[1]) > _DIGITS or (size := int(found[1]) << _SHIFTS[found[2].upper()]) > _LARGEST:
            raise ValueError(f"a size: the largest is {_LARGEST} bytes")
        return size


class Mode(_Value[int]):
    name = "mode"

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"(0o)?[0-7]{3,4}", text) or int(text, 8) > 0o777:
            raise ValueError("a mode such as 0600 or 0644")
        return int(text, 8)


class Seconds(_Value[float]):
    name = "seconds"

    def parse(self, text: str) -> float:
        if (span := span_seconds(text)) is not None:
            return span
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise ValueError("a time span such as 5, 0.5, 200ms, 2m or 1h30m")
        return seconds


class Rate(_Value[float]):
    name = "events/s"

    def parse(self, text: str) -> float:
        found = _RATE.fullmatch(text)
        rate = float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]] if found else 0.0
        if rate <= 0:
            raise ValueError("a number of events per second such as 0.5, 10, 20k or 1M")
        return rate


class Speed(_Value[float]):
    name = "times|max"

    def parse(self, text: str) -> float:
        """How many times as fast; ``max`` is without a pace."""
        if text == "max":
            return math.inf
        try:
            speed = float(text.removesuffix("x"))
        except ValueError:
            speed = math.nan
        if not 0 < speed < math.inf:
            raise ValueError("how many times as fast, such as 0.5, 1 or 10, or max")
        return speed


class Repeat(_Value[float]):
    name = "times"

    def parse(self, text: str) -> float:
        """How often; 0 and ``inf`` are for ever."""
        if text == "inf":
            return math.inf
        if not text.isascii() or not text.isdigit():
            raise ValueError("a number of times, or inf")
        return int(text) or math.inf


class RingPath(click.Path):
    """Any path; whether it can be used is for the library to say."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("a path is not empty", param, ctx)
        return super().convert(value, param, ctx)


RING = RingPath(readable=False)

SyncPolicy = Literal["none", "always"] | float


class Sync(_Value[SyncPolicy]):
    name = "none|always|seconds"

    def parse(self, text: str) -> SyncPolicy:
        if text == "none":
            return "none"
        if text == "always":
            return "always"
        try:
            return Seconds().parse(text)
        except ValueError:
            raise ValueError("none, always, or a time span between syncs such as 0.5 or 2s") from None


class From(_Value[Start]):
    name = "oldest|latest|seq|time"

    def parse(self, text: str) -> Start:
        """One of: oldest, latest, a sequence, -N (the newest N), a time, a time span ago."""
        text = text.strip()
        if text == "oldest":
            return "oldest"
        if text == "latest":
            return "latest"
        if re.fullmatch(r"-?[0-9]+", text):
            digits = text.removeprefix("-").lstrip("0") or "0"
            if len(digits) > _DIGITS or (number := int(digits)) > _LARGEST:
                raise ValueError(f"a sequence or a number of events: the largest is {_LARGEST}")
            return Newest(number) if text.startswith("-") else number
        ago = text.removeprefix("-") if text.startswith("-") else text.removesuffix("ago").rstrip()
        if ago != text and (span := span_seconds(ago)) is not None:
            try:
                return datetime.now(timezone.utc) - timedelta(seconds=span)
            except OverflowError:
                return "oldest"
        try:
            return _within_reach(moment(text))
        except ValueError:
            raise ValueError(
                "oldest, latest, a sequence (1200), a number of events back (-10), "
                "a time (2026-01-31T14:00:00.5, 14:00, ...Z) or a time ago (-5m, '5m ago')"
            ) from None


class Place(_Value[Literal["oldest", "latest"] | int]):
    name = "oldest|latest|seq"

    def parse(self, text: str) -> Literal["oldest", "latest"] | int:
        """Where to begin, as a sequence or a word."""
        if text == "oldest":
            return "oldest"
        if text == "latest":
            return "latest"
        if not re.fullmatch(r"[0-9]+", text) or len(text) > _DIGITS or int(text) > _LARGEST:
            raise ValueError("oldest, latest or a sequence (1200)")
        return int(text)


def span_seconds(text: str) -> float | None:
    """``1h30m`` as seconds, or None where the text is no such thing."""
    pieces = list(_SPAN.finditer(text))
    if not pieces or "".join(piece[0] for piece in pieces) != text:
        return None
    return sum(float(piece[1]) * _SECONDS[piece[2].lower()] for piece in pieces)


def moment(text: str) -> datetime:
    """An ISO 8601 time, with any number of decimals and with Z; a time of day alone is today's."""
    text = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text, count=1)
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    if re.match(r"\d\d:\d\d", text):
        of_day = time.fromisoformat(text)
        return datetime.combine(datetime.now(of_day.tzinfo).date(), of_day)
    return datetime.fromisoformat(text)


def _within_reach(when: datetime) -> Literal["oldest"] | datetime:
    """The same moment, as long as 64 bits of nanoseconds since 1970 can say it; else the nearest."""
    try:
        utc = when.astimezone(timezone.utc)  # naive is local time
    except (OverflowError, ValueError):
        return "oldest" if when.year < 2000 else _NEVER
    return "oldest" if utc < _EPOCH else min(utc, _NEVER)
