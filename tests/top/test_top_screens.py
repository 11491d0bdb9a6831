"""What `ringlog top` shows of rings in planted states, as text that is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from planted_rings import planted
from top_screens import DOCS, FOLDER, SCREENS, picture, somewhere

from ringlog.cli.top import as_dict, plain
from ringlog.cli.top_lines import SORTS, body
from ringlog.cli.top_live import View
from ringlog.observing import RingSample, Sample

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def sample() -> Iterator[Sample]:
    with somewhere() as folder, planted(folder) as seen:
        yield seen


@pytest.mark.parametrize("name", SCREENS)
def test_the_screens_are_those_that_are_kept(sample: Sample, name: str) -> None:
    """If they are to change: python tests/top/top_screens.py"""
    shown = picture(sample, *SCREENS[name])
    assert shown == (FOLDER / name).read_text()
    if DOCS.exists():  # not where the tests alone were copied to
        assert shown == (DOCS / "screens" / name).read_text()
    if DOCS.exists() and name == "top.txt":
        assert f"```\n{shown}```\n" in (DOCS.parent / "README.md").read_text()


def _ring(sample: Sample, name: str) -> RingSample:
    (ring,) = [ring for ring in sample.rings if ring.path.endswith(name)]
    return ring


def test_a_healthy_ring(sample: Sample) -> None:
    ring = _ring(sample, "ticks")
    assert (ring.severity, ring.events_per_second, ring.bytes_per_second) == ("", 120_000, 7_680_000)
    assert ring.holds == pytest.approx((16 << 20) / 7_680_000)
    assert ring.kept == pytest.approx(220_000 * 64 / (16 << 20))
    (reader,) = ring.readers
    assert (reader.state, reader.lag, reader.events_per_second) == ("reading", 600, 119_400)
    assert reader.unread == ring.unread == pytest.approx(600 * 64 / (16 << 20))
    assert reader.behind == pytest.approx(0.005)


def test_a_lagging_reader(sample: Sample) -> None:
    ring = _ring(sample, "frames")
    (reader,) = ring.readers
    assert (ring.severity, reader.severity, reader.state, reader.lag) == ("note", "note", "slow", 6500)
    left = ((1 << 20) - 6500 * 64) / (4500 * 64)
    assert reader.why == f"in {left:.1f} s the writer waits for it; it takes 1,500 of 6,000 events/s"


def test_a_stopped_reader(sample: Sample) -> None:
    ring = _ring(sample, "orders")
    (reader,) = ring.readers
    assert (ring.severity, reader.state, reader.holds_up, reader.unread) == ("problem", "stopped", True, 1.0)
    assert reader.why == "stopped; the writer waits for it; kill -CONT 4302"
    assert [writer.state for writer in ring.writers] == ["waiting"]


def test_a_dead_writer_and_a_name_that_missed_events(sample: Sample) -> None:
    ring = _ring(sample, "quotes")
    (writer,) = ring.writers
    assert (writer.state, writer.severity, writer.process) == ("dead", "note", None)
    archive, viewer = ring.readers
    assert (archive.name, archive.state, archive.behind) == ("archive", "away", None)
    assert archive.lost == ring.oldest
    assert (viewer.state, viewer.severity, viewer.lag) == ("reading", "", 1)
    assert ring.lag == 1  # who is away does not count


@pytest.mark.parametrize("width", [80, 99, 100, 120, 250])
def test_nothing_is_wider_than_the_screen(sample: Sample, width: int) -> None:
    ring = dataclasses.replace(sample.rings[0], path="/dev/shm/" + "long/" * 80 + "\u97f3\u4e50" * 9 + "/end")
    broken = RingSample("/tmp/\x1b[31mred", PermissionError(13, "Permission denied", "/tmp/\x1b[31mred"))
    busy = dataclasses.replace(sample, rings=(ring, broken), denied=("/dev/shm/" + "x" * 300,) * 3)
    for line in body(busy, width, "trouble"):
        assert line.cell_len <= width
        assert line.plain.isprintable()
    text = plain(busy, width, "trouble")
    assert "/end" in text
    assert "permission denied" in text


def test_every_order(sample: Sample) -> None:
    def names(sort: str, backwards: bool = False) -> list[str]:
        lines = [line.plain for line in body(sample, 80, sort, backwards)]  # type: ignore[arg-type]
        return [line.split("/")[-1] for line in lines if "/dev/shm/" in line]

    assert {sort: names(sort) for sort in SORTS} == {
        "trouble": ["orders", "frames", "quotes", "ticks"],
        "path": ["frames", "orders", "quotes", "ticks"],
        "events": ["ticks", "frames", "orders", "quotes"],
        "bytes": ["ticks", "frames", "orders", "quotes"],
        "unread": ["orders", "frames", "ticks", "quotes"],
        "lag": ["frames", "orders", "ticks", "quotes"],
    }
    assert names("lag", backwards=True) == ["quotes", "ticks", "orders", "frames"]


def test_a_screen_that_is_too_small_is_scrolled(sample: Sample) -> None:
    view = View("path", 1.0)

    def shown() -> list[str]:
        return [line.plain.rstrip() for line in view.draw(sample, 80, 10)]

    whole = [line.plain.rstrip() for line in body(sample, 80, "path")]
    assert shown()[2:-1] == whole[:7]
    assert shown()[-1].endswith(f"1-7 of {len(whole)}")
    assert view.press("down")
    assert shown()[2:-1] == whole[1:8]
    view.press("page down")
    assert shown()[2:-1] == whole[8:15]
    view.press("end")
    assert shown()[2:-1] == whole[-7:]
    view.press("down")
    assert shown()[2:-1] == whole[-7:]
    view.press("page up")
    view.press("up")
    assert shown()[2:-1] == whole[-15:-8]
    view.press("home")
    view.press("up")
    assert shown()[2:-1] == whole[:7]


def test_marks_stand_beside_every_colour(sample: Sample) -> None:
    for line in body(sample, 80, "trouble"):
        styles = {str(span.style) for span in line.spans}
        if "yellow" in styles or "bold reverse" in styles:
            assert line.plain.startswith(("!", "         ")), line.plain


def test_json_has_what_the_screen_has(sample: Sample) -> None:
    data = as_dict(sample, "trouble")
    assert data["time"] == "2025-01-31T12:00:01.000000000Z"
    assert data["rings"][0]["path"] == "/dev/shm/orders"
    (reader,) = data["rings"][0]["readers"]
    assert (reader["pid"], reader["state"], reader["severity"]) == (4302, "stopped", "problem")
    assert reader["process"] == {
        "name": "python3",
        "cpu": 0.0,
        "cpu_seconds": 60.0,
        "memory": 22 << 20,
        "resident": 22 << 20,
    }
