"""Slots that change between the look at them and the lease: planted at that very moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lossless_support import opened, resumes_at

import ringlog
from ringlog import _core, slots


@pytest.fixture
def ring(ring_path: str) -> str:
    """A ring with events 0 to 9, and few slots."""
    ringlog.create(ring_path, 65536, max_readers=4)
    with ringlog.Writer(ring_path) as writer:
        writer.append_many([b"%d" % k for k in range(10)])
    return ring_path


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, Callable[[], object]], None]:
    """Have something done once, right behind a module's look at a slot."""

    def plant(module: str, slot: int, action: Callable[[], object]) -> None:
        todo = [action]

        def look(mapping: _core.Mapping, which: int) -> slots.ReaderSlot:
            seen = real(mapping, which)
            if which == slot and todo:
                todo.pop()()
            return seen

        real = slots.reader_slot
        monkeypatch.setattr(f"ringlog.{module}.reader_slot", look)

    return plant


def test_a_reader_that_goes_on_and_closes(ring: str, meanwhile: Callable[..., None]) -> None:
    last = opened(ring)

    def finish() -> None:
        assert len(last.read_many()) == 10
        last.commit()
        last.close()

    meanwhile("slots", 3, finish)
    assert resumes_at(ring) == 10


def test_a_name_that_joins_and_leaves(ring: str, meanwhile: Callable[..., None]) -> None:
    with opened(ring, "first") as reader:
        mapping = reader._mapping
        joining = slots.claim_reader(mapping, b"n")

        def join_and_leave() -> None:
            assert mapping.set_reader(joining.slot, joining.epoch, _core.SLOT_CLAIMED, _core.SLOT_ACTIVE)
            slots.release_reader(mapping, joining)

        meanwhile("slots", 3, join_and_leave)
        opened(ring, "other").close()
        names = [slot.name for slot in ringlog.info(ring).readers]
        assert names == ["first", "n", "other"]


def test_forgetting_a_name_whose_reader_just_closed(ring: str, meanwhile: Callable[..., None]) -> None:
    reader = opened(ring)
    meanwhile("ring", 0, reader.close)
    ringlog.forget(ring, "n")
    assert ringlog.info(ring).readers == ()
