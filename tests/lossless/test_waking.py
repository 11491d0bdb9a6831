"""Which steps of a lossless reader wake a writer that waits for room: those that may be what it waits for.

A wake-up is a system call of the reader's and the end of the writer's sleep. The flag is planted, as if a
writer had just fallen asleep; what it is afterwards tells whether the reader would have woken it.
"""

from __future__ import annotations

import pytest
from oracle import RingFile

import ringlog

EVENTS = 200
SIZE = 240  # 256 bytes each in the ring


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    with ringlog.Writer(ring_path) as writer:
        for _ in range(EVENTS):
            writer.append(bytes(SIZE))
    return ring_path


def gate(file: RingFile, event: int) -> None:
    """The writer wants to go on over this event, and sleeps."""
    file.set_pair("gate", 24 + event * (SIZE + 16), event)
    file["room_wanted"] = 1


def woke(file: RingFile) -> bool:
    return file["room_wanted"] == 0


def attached(ring: str, *, name: str | None = None) -> ringlog.Reader:
    return ringlog.Reader(ring, lossless=True, start="oldest", name=name)


def test_who_was_far_enough_before_wakes_nobody(ring: str) -> None:
    """It is another reader that the writer waits for: else each event read would wake it in vain."""
    with attached(ring) as ahead, attached(ring), RingFile(ring) as file:
        for _ in range(150):
            assert ahead.poll() is not None
        gate(file, 20)
        for _ in range(EVENTS - 150):
            assert ahead.poll() is not None
            assert not woke(file)
        assert ahead.poll() is None
        assert not woke(file)


@pytest.mark.parametrize("name", [None, "named"])
def test_who_comes_far_enough_wakes_once(ring: str, name: str | None) -> None:
    with attached(ring, name=name) as behind, RingFile(ring) as file:
        gate(file, 20)
        woken = []
        for _ in range(150):
            event = behind.poll()
            assert event is not None
            if woke(file):
                woken.append(event.sequence)
                file["room_wanted"] = 1  # it found another in its way, and sleeps again
    assert len(woken) == 1
    assert 19 <= woken[0] < 20 + 65536 // 4 // (SIZE + 16) + 2  # not at the gate: there must be room to use


def test_who_has_read_all_wakes(ring: str) -> None:
    """With less room than it would wait for, if it had more to read."""
    with attached(ring) as behind, RingFile(ring) as file:
        gate(file, EVENTS - 3)
        for _ in range(EVENTS - 1):
            assert behind.poll() is not None
            assert not woke(file)
        assert behind.poll() is not None
        assert woke(file)


def test_who_has_not_come_to_the_gate_wakes_nobody(ring: str) -> None:
    with attached(ring) as behind, RingFile(ring) as file:
        gate(file, 190)
        assert len(behind.read_many(180)) == 180
        assert not woke(file)
        assert len(behind.read_many(15)) == 15
        assert not woke(file)  # at the gate, with more to read
        assert len(behind.read_many(10)) == 5
        assert woke(file)
