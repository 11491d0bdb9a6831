"""push from logs, and from a ring with the log that it is recorded into."""

from __future__ import annotations

from pathlib import Path

import pytest
from copies import fill, number, record
from shelf import Shelf, chain

import ringlog
from ringlog.bridge import push


def test_a_log_is_sent_as_it_was_recorded(ring_path: str) -> None:
    log = f"{ring_path}.log"
    fill(ring_path, map(number, range(500)))
    ringlog.record(ring_path, log, segment_bytes=4096)
    shelf = Shelf()
    assert push(log, shelf, follow=False).state == "ended"
    chain(shelf, 500, ended=False)  # of the log, not of the stream
    entries = b"".join(message.data for message in shelf.messages)
    by_ring = Shelf()
    push(ring_path, by_ring)
    assert entries == b"".join(message.data for message in by_ring.messages)
    assert {each.header.stream.id for each in shelf.messages} == {""}


def test_a_log_goes_on_where_its_ring_was(ring_path: str) -> None:
    """They are the same stream by its start, though a log has no id."""
    log = f"{ring_path}.log"
    fill(ring_path, map(number, range(500)), end=False)
    shelf = Shelf(limit=1000)
    push(ring_path, shelf, stop=lambda: shelf.events() > 100)
    ringlog.record(ring_path, log, stop=lambda: True)
    push(log, shelf, follow=False)
    chain(shelf, 500, ended=False)


def test_an_empty_log(tmp_path: Path) -> None:
    ringlog.LogWriter(tmp_path / "log").close()
    shelf = Shelf()
    assert push(tmp_path / "log", shelf, follow=False).state == "ended"
    assert shelf.messages == []


def test_what_the_ring_has_lost_comes_from_the_log(ring_path: str) -> None:
    log, shelf = f"{ring_path}.log", Shelf()
    with ringlog.Writer(ring_path, capacity=64 << 10) as writer:
        for part in range(6):
            for k in range(1000):
                writer.append(number(1000 * part + k))
            record(ring_path, log)
        writer.end()
    assert ringlog.info(ring_path).tail_count > 3000
    figures = push(ring_path, shelf, log=log)
    chain(shelf, 6000)
    assert figures.gaps == 0
    assert {each.header.stream.id for each in shelf.messages} == {ringlog.info(ring_path).stream_id}
    data = b"".join(message.data for message in shelf.messages)
    assert all(number(k) in data for k in (0, 2999, 3000, 5999))


def test_nobody_waits_for_one_with_a_log(ring_path: str) -> None:
    log = f"{ring_path}.log"
    fill(ring_path, map(number, range(10)), end=False)
    record(ring_path, log)
    shelf = Shelf()
    push(ring_path, shelf, log=log, stop=lambda: shelf.events() == 10)
    assert [each.name for each in ringlog.info(ring_path).readers] == ["recorder"]


def test_the_log_of_another_ring(ring_path: str) -> None:
    log = f"{ring_path}.log"
    fill(f"{ring_path}-2", map(number, range(10)))
    ringlog.record(f"{ring_path}-2", log)
    fill(ring_path, [number(k) * 8 for k in range(3000)], capacity=64 << 10)
    with pytest.raises(ValueError, match="different streams"):
        push(ring_path, Shelf(), log=log)


def test_neither_ring_nor_log(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        push(tmp_path / "nothing", Shelf())
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ringlog.NotARing, match="nor a log"):
        push(tmp_path / "text", Shelf())
