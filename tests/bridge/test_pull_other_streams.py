"""pull, where another stream is, or somebody else writes."""

from __future__ import annotations

from typing import Any

import pytest
from copies import STREAM, end_mark, held, numbers, until
from shelf import Shelf

import ringlog
from ringlog.bridge import OtherStream, pull
from ringlog.bridge.message import Stream

OTHER = Stream("cd" * 16, STREAM.start + 5)


def test_another_stream_is_not_mixed_in(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10)])
    pull(ring_path, shelf, stop=until(ring_path, 10))
    shelf.messages.append(numbers(0, 20, OTHER))
    with pytest.raises(OtherStream, match="remove the ring"):
        pull(ring_path, shelf)
    held(ring_path, 0, 10)


def test_another_stream_begins_while_it_runs(ring_path: str) -> None:
    shelf, ten = Shelf([numbers(0, 10)]), until(ring_path, 10)

    def begin_another() -> bool:
        if ten() and len(shelf.messages) == 1:
            shelf.messages.append(numbers(0, 20, OTHER))
        return False

    with pytest.raises(OtherStream):
        pull(ring_path, shelf, stop=begin_another)
    held(ring_path, 0, 10)


@pytest.mark.parametrize("new_stream", ["refuse", "replace"])
def test_another_stream_was_there_for_a_while(ring_path: str, new_stream: Any) -> None:
    """A ring pushed to the wrong subject, and then the right one again: it is no reason to begin again."""
    shelf = Shelf([numbers(0, 10), numbers(0, 20, OTHER), numbers(10, 20), end_mark(20)])
    said: list[str] = []
    pull(ring_path, shelf, new_stream=new_stream, notice=said.append, stop=lambda: len(said) > 2)
    held(ring_path, 0, 20)
    assert (ringlog.info(ring_path).ended, said) == (True, [])


def test_another_stream_replaces_the_ring(ring_path: str) -> None:
    shelf, said = Shelf([numbers(0, 10)]), []
    pull(ring_path, shelf, stop=until(ring_path, 10))
    shelf.messages += [numbers(0, 20, OTHER), end_mark(20, OTHER)]
    with ringlog.Reader(ring_path, start="oldest") as reader:
        pull(ring_path, shelf, new_stream="replace", notice=said.append)
        assert len(reader.read_many(100)) == 10
        with pytest.raises(ringlog.RingRemoved):
            reader.read(timeout=20)
    held(ring_path, 0, 20)
    assert ringlog.info(ring_path).stream_id == OTHER.id
    assert "replaced" in said[0]


def test_a_copy_that_somebody_wrote_to(ring_path: str) -> None:
    shelf = Shelf([numbers(0, 10)])
    pull(ring_path, shelf, stop=until(ring_path, 10))
    with ringlog.Writer(ring_path) as writer:
        writer.append(b"mine")
    shelf.messages.append(numbers(10, 20))
    with pytest.raises(OtherStream, match="somebody else has written"):
        pull(ring_path, shelf)


def test_while_it_runs_nobody_else_writes(ring_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringlog.bridge.target.PATIENCE", 0.01)
    shelf, refused = Shelf([numbers(0, 10)]), []

    def stop() -> bool:
        if until(ring_path, 10)():
            with ringlog.Writer(ring_path, timeout=0) as writer, pytest.raises(ringlog.WriterBusy):
                writer.append(b"mine")
            with pytest.raises(ringlog.WriterBusy):
                pull(ring_path, shelf)
            refused.append(True)
        return bool(refused)

    pull(ring_path, shelf, stop=stop)
    assert refused
    held(ring_path, 0, 10)
