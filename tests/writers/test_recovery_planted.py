"""G4: whatever a killed holder of the lock left half done, the next writer goes on and nothing is lost.

Planted in the file: the owner word names a writer without a lease, the semaphore is at 0, and the
publication has got so far and no further.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from oracle import MARKS, RingFile, decode
from writer_support import HOUR, assert_consistent, plant_owner, semaphore_name, semaphore_value, set_mark

import ringlog

CAPACITY = 1 << 16
STRIDE = CAPACITY // 64
NEVER = b"never published " * 4

Step = Callable[[RingFile, int], None]


def nothing(file: RingFile, late: int) -> None:
    pass


def entry_torn(file: RingFile, late: int) -> None:
    file.put_entry(file["write_offset"], NEVER, timestamp=late, checksum=1)


def entry_written(file: RingFile, late: int) -> None:
    file.put_entry(file["write_offset"], NEVER, timestamp=late)


def last_timestamp_written(file: RingFile, late: int) -> None:
    entry_written(file, late)
    file["last_timestamp"] = late


def event_count_written(file: RingFile, late: int) -> None:
    last_timestamp_written(file, late)
    file["event_count"] += 1


def spare(file: RingFile, name: str, word: str) -> int:
    return 1 if file[f"{name}[0].position"] == file[word] else 0


def record_invalidated(file: RingFile, late: int) -> None:
    event_count_written(file, late)
    file[f"head[{spare(file, 'head', 'write_offset')}].position"] = 0


def record_sequence_written(file: RingFile, late: int) -> None:
    k = spare(file, "head", "write_offset")
    record_invalidated(file, late)
    file[f"head[{k}].sequence"] = file["event_count"]


def record_written(file: RingFile, late: int) -> None:
    k = spare(file, "head", "write_offset")
    record_sequence_written(file, late)
    file[f"head[{k}].position"] = file["write_offset"] + 16 + len(NEVER)


def batch_written(file: RingFile, late: int) -> None:
    """A batch over several strides, with its marks, all but published."""
    position = file["write_offset"]
    first = file["event_count"]
    for k in range(200):
        behind = file.put_entry(position, NEVER, timestamp=late)
        stride = (behind - 24) // STRIDE
        if stride != (position - 24) // STRIDE:
            set_mark(file, stride, behind, first + k + 1, late)
        position = behind
    file["last_timestamp"] = late
    file["event_count"] = first + 200


def marks_beyond(file: RingFile, late: int) -> None:
    for number in range(MARKS):
        set_mark(file, number, file["write_offset"] + 1 + number * STRIDE, 10**9, late)


def marks_zeroed(file: RingFile, late: int) -> None:
    for number in range(MARKS):
        set_mark(file, number, 0)


HEAD_STEPS = [
    nothing,
    entry_torn,
    entry_written,
    last_timestamp_written,
    event_count_written,
    record_invalidated,
    record_sequence_written,
    record_written,
    batch_written,
    marks_beyond,
    marks_zeroed,
]


def room_pair(name: str, upto: str) -> Step:
    """The gate or the tail is moved past 20 events as far as `upto` says."""
    word = {"gate": "gate_offset", "tail": "tail_offset"}[name]

    def step(file: RingFile, late: int) -> None:
        want = file.places()[20]
        if name == "tail":
            file.set_pair("gate", *want)
        k = spare(file, name, word)
        file[f"{name}[{k}].position"] = 0
        if upto in ("sequence", "position"):
            file[f"{name}[{k}].sequence"] = want.sequence
        if upto == "position":
            file[f"{name}[{k}].position"] = want.position
        if upto == "word":
            file.set_pair(name, *want)

    step.__name__ = f"{name}_{upto}"
    return step


def tail_overwritten(file: RingFile, late: int) -> None:
    """The tail has moved, and the entry behind the head is written over what was there."""
    old, want = file.pair("tail"), file.places()[20]
    room_pair("tail", "word")(file, late)
    file.write(old.position, bytes(want.position - old.position))
    event_count_written(file, late)


TAIL_STEPS = [
    *(
        room_pair(name, upto)
        for name in ("gate", "tail")
        for upto in ("invalid", "sequence", "position", "word")
    ),
    tail_overwritten,
]


def go_on(path: str, before: list[tuple[int, int, bytes]], late: int) -> None:
    """Readers see what was published, and the next writer goes on behind it."""
    with RingFile(path) as file:
        first = file.pair("tail").sequence
    expected = [event for event in before if event[0] >= first]
    with ringlog.Reader(path, start="oldest") as reader:
        assert [tuple(event) for event in reader.read_many(10_000)] == expected
    count = before[-1][0] + 1 if before else 0
    now = time.time_ns()
    with (
        ringlog.Writer(path, timeout=10) as writer,
        ringlog.Reader(path, start="oldest", lossless=True) as reader,
    ):
        assert writer.append(b"next", timestamp=now) == count
        assert writer.append_many([b"and", b"on"]) == range(count + 1, count + 3)
        seen = reader.read_many(10_000)
    assert [tuple(event) for event in seen[: len(expected)]] == expected
    assert [event.data for event in seen[len(expected) :]] == [b"next", b"and", b"on"]
    assert [event.sequence for event in seen] == list(range(seen[0].sequence, count + 3))
    stamps = [event.timestamp for event in seen]
    assert stamps == sorted(stamps)
    assert stamps[-1] < late, "the timestamp of an event that was never published"
    assert [tuple(event) for event in decode(path)] == [tuple(event) for event in seen]
    assert assert_consistent(path) == count + 3
    assert semaphore_value(semaphore_name(path)) == 1


@pytest.mark.parametrize("step", HEAD_STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("events", [0, 1, 10, 3000])
def test_a_half_done_publication_is_as_if_it_had_never_begun(ring_path: str, step: Step, events: int) -> None:
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        for k in range(events):
            writer.append(b"event %d" % k)
    before = [tuple(event) for event in decode(ring_path)]
    late = time.time_ns() + HOUR // 2
    with RingFile(ring_path) as file:
        if events == 3000:  # make what the head is about to overwrite free first
            before = before[len(before) // 2 :]
            file.move_tail(before[0][0] - file.pair("tail").sequence)
        step(file, late)
        plant_owner(file)
    go_on(ring_path, before, late)


@pytest.mark.parametrize("step", TAIL_STEPS, ids=lambda step: step.__name__)
def test_half_made_room_loses_nothing_that_the_tail_has_not_passed(ring_path: str, step: Step) -> None:
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        for k in range(5000):
            writer.append(b"event %d" % k)
    before = [tuple(event) for event in decode(ring_path)]
    late = time.time_ns() + HOUR // 2
    with RingFile(ring_path) as file:
        step(file, late)
        plant_owner(file)
    # Room for a few small events may be left or not: then the tail moves on by a stride, as it should.
    with ringlog.Writer(ring_path, timeout=10) as writer:
        assert writer.append(b"next") == 5000
    with RingFile(ring_path) as file:
        tail = file.pair("tail")
        assert file.pair("gate") == tail
        moved = tail.sequence - before[0][0]
        assert moved <= 20 + STRIDE // (16 + 7)
    seen = [tuple(event) for event in decode(ring_path)]
    assert seen[:-1] == before[moved:]
    assert seen[-1][2] == b"next"
    with ringlog.Reader(ring_path, start="oldest", lossless=True) as reader:
        assert [tuple(event) for event in reader.read_many(10_000)] == seen
    assert_consistent(ring_path)


def test_recovery_that_was_killed_itself_is_done_again(ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Writer(ring_path) as writer:
        for k in range(10):
            writer.append(b"event %d" % k)
    late = time.time_ns() + HOUR // 2
    for count in range(10, 30):
        with RingFile(ring_path) as file:
            HEAD_STEPS[count % len(HEAD_STEPS)](file, late)
            if count % 2:
                file["event_count"] = file.pair("head").sequence  # recovery got so far
            plant_owner(file, epoch=count)
        with ringlog.Writer(ring_path, timeout=10) as writer:
            assert writer.append(b"event %d" % count) == count
    assert [event.data for event in decode(ring_path)] == [b"event %d" % k for k in range(30)]
