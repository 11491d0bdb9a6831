"""Every state that a killed writer can leave in the middle of a jump, written into the file by hand: what
readers make of it while nobody has put it in order, and what the next writer makes of it."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

import pytest
from oracle import PAIRS, Place, RingFile
from runs_support import append_whole, lost, run_of, taken, unpacked
from writer_support import plant_owner, set_mark

import ringlog

COUNT, GOAL = 5, 500
STRIDE = 65536 // 64
PAIR_STEPS = ("invalid", "sequence", "record", "stored")
STEPS = [
    "emptied",
    "marked",
    "named",
    *(f"tail_{step}" for step in PAIR_STEPS),
    "counted",
    *(f"head_{step}" for step in PAIR_STEPS),
    *(f"gate_{step}" for step in PAIR_STEPS),
    "over",
]
ARRIVED = STEPS.index("tail_stored")  # from here on the jump is finished, not forgotten
PUBLISHED = STEPS.index("head_stored")


def step_of_pair(file: RingFile, name: str, step: str, place: Place) -> None:
    word = PAIRS[name]
    spare = 1 if file[f"{name}[0].position"] == file[word] else 0
    if step == "invalid":
        file[f"{name}[{spare}].position"] = 0
    elif step == "sequence":
        file[f"{name}[{spare}].sequence"] = place.sequence
    elif step == "record":
        file[f"{name}[{spare}].position"] = place.position
    else:
        file[word] = place.position


def plant_step(file: RingFile, step: str, head: Place, goal: Place, timestamp: int) -> None:
    pair, _, part = step.partition("_")
    if pair in PAIRS:
        step_of_pair(file, pair, part, goal)
    elif step == "emptied":
        file.set_pair("gate", *head)
        file.set_pair("tail", *head)
    elif step == "marked":
        set_mark(file, (goal.position - 24) // STRIDE, goal.position, goal.sequence, timestamp)
    elif step == "named":
        file["jumped"], file["jump"] = head.position, goal.position
    elif step == "counted":
        file["event_count"] = goal.sequence
    else:
        file["jump"] = 0


Jump = Callable[[str], RingFile]


@pytest.fixture
def leave(ring_path: str) -> Iterator[Jump]:
    """Write everything up to a step, by a dead owner; sequences 5 to 499 are left out."""
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append_many([b"%d" % k for k in range(COUNT)], timestamp=1000)
    with RingFile(ring_path) as file:

        def leave(last: str) -> RingFile:
            head = file.pair("head")
            goal = Place(head.position + file.capacity + 16 * (GOAL - head.sequence), GOAL)
            for step in STEPS[: STEPS.index(last) + 1]:
                plant_step(file, step, head, goal, 1000)
            plant_owner(file, slot=40)
            return file

        yield leave


def recovered(path: str, number: int) -> None:
    """The next writer has put it in order: a whole ring, with a next event as it should be."""
    with ringlog.Writer(path, timeout=5) as writer:
        expected = GOAL if number >= ARRIVED else COUNT
        assert writer.append(b"on", timestamp=None) == expected
        with RingFile(path) as file:
            assert file["jump"] == 0
            assert file["event_count"] == expected + 1
            assert [event.data for event in file.events()] == [b"on"]
            assert file.pair("gate") == file.pair("tail")
        assert ringlog.verify(path).first_bad is None


@pytest.mark.parametrize("step", STEPS)
def test_a_lossy_reader_before_and_behind_it(leave: Jump, ring_path: str, step: str) -> None:
    number = STEPS.index(step)
    with ringlog.Reader(ring_path) as at_head, ringlog.Reader(ring_path, start=3) as behind:
        file = leave(step)
        assert ringlog.info(ring_path).event_count in (COUNT, GOAL)
        assert ringlog.verify(ring_path).first_bad is None
        told = []
        for reader in (at_head, behind):
            for _ in range(3):
                try:
                    assert reader.poll() is None
                    assert reader._take_run(1000, True) is None
                    assert reader.lag in (0, GOAL - COUNT)
                except ringlog.Overrun as error:
                    told.append((error.first, error.last))
        goal = GOAL - 1
        # Those at the old head do not hear of it before the head has moved; those behind when the tail has.
        expected = [] if number < PUBLISHED else [(5, goal)]
        expected += [(3, goal)] if number >= ARRIVED else [(3, 4)]
        assert told == expected
        with ringlog.Reader(ring_path) as late, ringlog.Reader(ring_path, start="oldest") as oldest:
            assert late.sequence == oldest.sequence == (GOAL if number >= ARRIVED else COUNT)
            assert late.poll() is None
            recovered(ring_path, number)
            assert late.read().data == oldest.read().data == b"on"
        told = []
        for reader in (at_head, behind):
            try:
                assert reader.poll() is not None
            except ringlog.Overrun as error:
                told.append((error.first, error.last))
                assert reader.read().data == b"on"
        assert told == ([(5, goal)] if ARRIVED <= number < PUBLISHED else [])
        assert file["owner"] == 0


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("options", [{"lossless": True}, {"name": "n"}])
def test_a_lossless_reader_at_the_old_head(
    leave: Jump, ring_path: str, step: str, options: dict[str, object]
) -> None:
    number = STEPS.index(step)
    with ringlog.Reader(ring_path, **options) as reader:  # type: ignore[arg-type]
        leave(step)
        if number >= PUBLISHED:
            assert lost(reader) == (COUNT, GOAL - 1)
        assert reader.poll() is None
        assert ringlog.verify(ring_path).first_bad is None
        recovered(ring_path, number)
        if ARRIVED <= number < PUBLISHED:
            assert lost(reader) == (COUNT, GOAL - 1)
        assert unpacked(taken(reader))[0].data == b"on"


@pytest.mark.parametrize("step", STEPS)
def test_a_name_that_is_away_and_comes_back_in_the_middle(leave: Jump, ring_path: str, step: str) -> None:
    """It hears of the gap once, however often it comes and goes before somebody finishes the jump."""
    number = STEPS.index(step)
    with ringlog.Reader(ring_path, name="n") as reader:
        assert reader.sequence == COUNT
    leave(step)
    told = []
    for _ in range(3):
        with ringlog.Reader(ring_path, name="n") as reader:
            try:
                assert reader.poll() is None
            except ringlog.Overrun as error:
                told.append((error.first, error.last))
                assert reader.poll() is None
    recovered(ring_path, number)
    assert told == ([(COUNT, GOAL - 1)] if number >= ARRIVED else [])
    with ringlog.Reader(ring_path, name="n") as reader:
        assert reader.read().data == b"on"


@pytest.mark.parametrize("step", STEPS)
def test_recovery_keeps_the_last_timestamp(leave: Jump, ring_path: str, step: str) -> None:
    """A copy's next events have the origin's times, which one that was never published may not forbid."""
    number = STEPS.index(step)
    file = leave(step)
    if number >= PUBLISHED:
        file["last_timestamp"] = 10**18  # of a publication that was begun behind the jump
    with ringlog.Writer(ring_path, timeout=5) as writer:
        sequence = GOAL if number >= ARRIVED else COUNT
        assert append_whole(writer, run_of((1000, b"first"), (1001, b"second")), sequence)
    assert [event.timestamp for event in file.events()] == [1000, 1001]


@pytest.mark.parametrize("wait", ["adaptive", "sleep"])
def test_who_stands_at_the_new_place_sleeps(leave: Jump, ring_path: str, wait: str) -> None:
    """Nobody may come for long: a look each 100 ms, not a loop."""
    leave("tail_stored")
    with ringlog.Reader(ring_path, start="oldest", wait=wait) as reader:  # type: ignore[arg-type]
        assert reader.sequence == GOAL
        assert not reader._wait(0)
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        with pytest.raises(TimeoutError):
            reader.read(timeout=0.3)
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > before


def test_a_ring_that_is_removed_in_the_middle(leave: Jump, ring_path: str) -> None:
    leave("tail_stored")
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert reader.poll() is None
        ringlog.unlink(ring_path)
        with pytest.raises(ringlog.RingRemoved):
            reader.poll()


@pytest.mark.parametrize("step", ["named", "tail_stored", "head_stored"])
def test_repairing_says_what_it_does(leave: Jump, ring_path: str, step: str) -> None:
    from ringlog.repairing import repair

    leave(step)
    steps = " ".join(str(line) for line in repair(ring_path, apply=False).steps)
    assert ("forget a jump" if step == "named" else f"finish the jump to sequence {GOAL}") in steps
    repair(ring_path, apply=True)
    recovered(ring_path, STEPS.index(step))


@pytest.mark.parametrize("jump", [-1, 1, 23, 24, (1 << 62) - 1, (1 << 63) - 1, -(1 << 63)])
def test_a_word_that_somebody_scribbled_moves_nothing(leave: Jump, ring_path: str, jump: int) -> None:
    """Beside a head and a tail that agree it says nothing, not even where it names the tail."""
    with RingFile(ring_path) as file, ringlog.Reader(ring_path, start="oldest") as reader:
        before = file.pair("head"), file.pair("tail")
        file["jump"] = jump
        assert [event.data for event in reader.read_many()] == [b"%d" % k for k in range(COUNT)]
        assert reader.poll() is None
        plant_owner(file, slot=40)
        with ringlog.Writer(ring_path, timeout=5) as writer:
            assert writer.append(b"on") == COUNT
        assert (file.pair("tail"), file["jump"]) == (before[1], 0)
        assert reader.read().data == b"on"
