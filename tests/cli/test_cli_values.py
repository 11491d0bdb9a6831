"""What options take."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import click
import pytest

from ringlog.cli.values import From, Mode, Newest, Rate, Repeat, Seconds, Size, Sync, moment, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65536),
        ("64K", 65536),
        ("64k", 65536),
        ("16M", 16 << 20),
        ("16MiB", 16 << 20),
        ("1G", 1 << 30),
        ("2 TB", 2 << 40),
    ],
)
def test_size(text: str, size: int) -> None:
    assert Size().parse(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5M", "16X", "1e6", "sixteen"])
def test_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size such as"):
        Size().convert(text, None, None)


@pytest.mark.parametrize(("text", "mode"), [("0600", 0o600), ("644", 0o644), ("0o640", 0o640)])
def test_mode(text: str, mode: int) -> None:
    assert Mode().parse(text) == mode


@pytest.mark.parametrize("text", ["", "9", "0888", "4755", "rw-", "60000"])
def test_no_mode(text: str) -> None:
    with pytest.raises(ValueError, match="a mode"):
        Mode().parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("0", 0), ("0.5", 0.5), ("200ms", 0.2), ("2m", 120), ("1h30m", 5400), ("1d", 86400)],
)
def test_seconds(text: str, seconds: float) -> None:
    assert Seconds().parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "inf", "nan", "5 parsecs", "m5"])
def test_no_seconds(text: str) -> None:
    with pytest.raises(ValueError, match="a time span"):
        Seconds().parse(text)


@pytest.mark.parametrize(("text", "rate"), [("10", 10), ("0.5", 0.5), ("20k", 20e3), ("1M", 1e6), ("5/s", 5)])
def test_rate(text: str, rate: float) -> None:
    assert Rate().parse(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "inf"])
def test_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="events per second"):
        Rate().parse(text)


def test_repeat() -> None:
    assert Repeat().parse("3") == 3
    assert Repeat().parse("0") == Repeat().parse("inf") == float("inf")
    with pytest.raises(ValueError, match="a number of times"):
        Repeat().parse("-1")


def test_sync() -> None:
    assert Sync().parse("none") == "none"
    assert Sync().parse("always") == "always"
    assert Sync().parse("0.25") == 0.25
    with pytest.raises(ValueError, match="none, always"):
        Sync().parse("sometimes")


def test_from_a_place() -> None:
    assert From().parse("oldest") == "oldest"
    assert From().parse("latest") == "latest"
    assert From().parse("0") == 0
    assert From().parse("1200") == 1200
    assert From().parse("-10") == Newest(10)


@pytest.mark.parametrize("text", ["-5m", "5m ago", "5 m ago", "300s ago", "-0.5m"])
def test_from_some_time_ago(text: str) -> None:
    before = datetime.now(timezone.utc)
    found = From().parse(text)
    after = datetime.now(timezone.utc)
    span = timedelta(seconds=30 if text == "-0.5m" else 300)
    assert isinstance(found, datetime)
    assert before - span <= found <= after - span


def test_from_before_the_calendar() -> None:
    assert From().parse("-999999999d") == "oldest"


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00+01:00", "1969-12-31T00:00:00Z"])
def test_from_before_all_events(text: str) -> None:
    assert From().parse(text) == "oldest"


@pytest.mark.parametrize("text", ["2300-01-01", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00"])
def test_from_after_all_events(text: str) -> None:
    assert From().parse(text) == datetime(2262, 1, 1, tzinfo=timezone.utc)


def test_from_a_local_time() -> None:
    assert From().parse("2026-01-31T14:00") == datetime(2026, 1, 31, 14).astimezone()


@pytest.mark.parametrize("text", ["", "newest", "5m", "1.5", "2026-13-01", "--5m", "-5m ago", "ago"])
def test_from_nowhere(text: str) -> None:
    with pytest.raises(ValueError, match="oldest, latest, a sequence"):
        From().parse(text)


def test_moments() -> None:
    utc = timezone.utc
    assert moment("2026-01-31T14:00:00Z") == datetime(2026, 1, 31, 14, tzinfo=utc)
    assert moment("2026-01-31T14:00:00.123456789Z") == datetime(2026, 1, 31, 14, 0, 0, 123456, utc)
    assert moment("2026-01-31 14:00:00.5+02:00") == datetime(2026, 1, 31, 12, 0, 0, 500000, utc)
    assert moment("2026-01-31T14:00") == datetime(2026, 1, 31, 14)
    assert moment("2026-01-31") == datetime(2026, 1, 31)
    assert moment("14:30") == datetime.combine(date.today(), datetime(2026, 1, 1, 14, 30).time())


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (16 << 20, "16 MiB")],
)
def test_size_text(size: int, text: str) -> None:
    assert size_text(size) == text
