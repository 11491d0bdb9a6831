"""Verifying a ring: its header, its slots, and every entry of its window, while a writer may go on."""

from __future__ import annotations

import os
from collections.abc import Callable

from ringlog import _core, files, liveness
from ringlog.errors import CorruptStream, StreamTruncated
from ringlog.events import Report
from ringlog.slots import ReaderSlot, WriterSlot, reader_slot

Place = tuple[int, int]
Progress = Callable[[int, int], object]  # events and bytes since the last call

PIECE = 16 << 20  # bytes walked between two looks at signals
CONTENDED = 1 << 63  # a bit of the owner word
TRIES = 1000  # for a moment in which a writer does not move what is being compared

WHY = {
    _core.WALK_SIZE: "the entry's size does not fit in front of the head",
    _core.WALK_TIMESTAMP: "the entry's timestamp is not over 0",
    _core.WALK_ORDER: "the entry's timestamp is below the one before it",
    _core.WALK_CHECKSUM: "the data does not have the checksum of its entry",
    _core.WALK_MARK: "the mark of this stride does not name this boundary",
}


class RingCheck:
    """One verification of one ring. Gathers what is wrong; the first position of all counts."""

    def __init__(self, path: str, progress: Progress) -> None:
        self.path = path
        self.events = self.bytes = self.overtaken = 0
        self.wrong: list[tuple[int, str]] = []
        self.notes: list[str] = []
        self._progress = progress

    def run(self) -> Report:
        """Raises what opening a ring raises, OSError (a page that can't be read) and RingRemoved (another
        stream was written over this one); damage is what is reported."""
        try:
            mapping, _ = files.attach(self.path, os.O_RDONLY, _core.MAP_READ, populate=False)
        except (CorruptStream, StreamTruncated) as error:
            self.wrong.append((0, str(error).removeprefix(f"{self.path}: ")))
            return self.report()
        if files.outlived_its_boot(mapping):
            self._check_committed(mapping)
        else:
            try:
                self._check(mapping)
            except ValueError as error:  # somebody scribbles on the header while we look
                self.wrong.append((0, f"the header: {error}"))
        self._look_for_breakage(mapping)
        return self.report()

    def report(self) -> Report:
        position, why = min(self.wrong, key=lambda one: one[0]) if self.wrong else (None, None)
        others = [f"also at {p}: {text}" for p, text in self.wrong if (p, text) != (position, why)]
        notes = (*self.notes, *others)
        return Report(self.path, "ring", self.events, self.bytes, position, why, self.overtaken, notes)

    # ---- a ring of this boot ----

    def _check(self, mapping: _core.Mapping) -> None:
        window = self._window(mapping)
        if window is None:
            return
        tail, head = window
        reached = self._walk(mapping, tail, 0, head, live=True)
        if reached is not None:
            self._check_counts(mapping, head, reached)
        self._check_slots(mapping)
        self._note_owner(mapping)

    def _window(self, mapping: _core.Mapping) -> tuple[Place, Place] | None:
        """Tail and head of one moment. None, and noted as wrong, if there are none."""
        for name in ("tail", "gate", "head"):
            try:
                getattr(mapping, name)()
            except ValueError:
                self.wrong.append(
                    (0, f"the header: no record stands for the {name}, or none that can be true")
                )
                return None
        for _ in range(TRIES):
            tail, gate, head = mapping.tail(), mapping.gate(), mapping.head()
            if mapping.tail() == tail:
                break
        if not _core.FIRST_POSITION <= tail[0] <= head[0] or not 0 <= tail[1] <= head[1]:
            self.wrong.append((0, f"the header: the tail is at {_place(tail)}, the head at {_place(head)}"))
        elif head[0] - tail[0] > mapping.snapshot()["capacity"]:
            self.wrong.append((0, f"the header: from {tail[0]} to {head[0]} is more than the ring holds"))
        elif gate[0] < tail[0]:
            self.wrong.append((0, f"the header: the gate, {gate[0]}, is behind the tail, {tail[0]}"))
        else:
            return tail, head
        return None

    def _walk(
        self, mapping: _core.Mapping, start: Place, timestamp: int, goal: Place, *, live: bool
    ) -> int | None:
        """Walk to the goal. The last entry's timestamp (0: unknown), or None if it could not be reached."""
        position, sequence = start
        while position < goal[0]:
            at, next_sequence, timestamp, found = mapping.walk(
                position, sequence, timestamp, goal[0], min(position + PIECE, goal[0]), live
            )
            self.events += next_sequence - sequence
            self.bytes += at - position
            self._progress(next_sequence - sequence, at - position)
            position, sequence = at, next_sequence
            if found == _core.WALK_OVERTAKEN:
                tail = mapping.tail()
                self.overtaken += min(tail[1], goal[1]) - sequence
                if tail[0] > goal[0]:
                    return 0  # all the rest is gone, and the entry before the goal with it
                if tail[0] <= position:
                    raise ValueError("the tail goes backwards")
                (position, sequence), timestamp = tail, 0
            elif found != _core.WALK_DONE:
                self.wrong.append((position, f"sequence {sequence}: {WHY[found]}"))
                return None
        if sequence != goal[1]:
            text = f"the entries lead to sequence {sequence} here, the header says {goal[1]}"
            self.wrong.append((position, text))
            return None
        return timestamp

    def _check_counts(self, mapping: _core.Mapping, head: Place, timestamp: int) -> None:
        """The copies of what the head says. Only while nobody writes: they are stored before it."""
        words = mapping.words()
        owner, write_offset, event_count, last_timestamp = words
        if owner or write_offset != head[0] or mapping.words() != words:
            return
        if event_count != head[1]:
            self.wrong.append((0, f"the header: event_count is {event_count}, the head's is {head[1]}"))
        if timestamp and last_timestamp != timestamp:
            text = f"the header: last_timestamp is {last_timestamp}, the last entry's is {timestamp}"
            self.wrong.append((0, text))

    def _check_slots(self, mapping: _core.Mapping) -> None:
        for slot in range(mapping.snapshot()["max_readers"]):
            if why := _slot_is_wrong(mapping, slot):
                self.wrong.append((0, f"the header: reader slot {slot}: {why}"))

    def _note_owner(self, mapping: _core.Mapping) -> None:
        if dead := dead_owner(mapping):
            self.notes.append(
                f"{dead} died while it held the write lock: the next writer puts the ring in order"
            )

    # ---- a ring of another boot ----

    def _check_committed(self, mapping: _core.Mapping) -> None:
        """What is promised after a crash of the machine, and nothing else."""
        self.notes.append("the machine has restarted since: only what was synced counts")
        record = mapping.commit_record()
        if record is None or record[1][0] - record[0][0] > mapping.snapshot()["capacity"]:
            return
        tail, head, timestamp, _ = record
        reached = self._walk(mapping, tail, 0, head, live=False)
        if reached and reached != timestamp:
            text = f"the commit record says timestamp {timestamp} at its head, the entry {reached}"
            self.wrong.append((head[0], text))

    def _look_for_breakage(self, mapping: _core.Mapping) -> None:
        """What looks like bad entries may be pages that can't be had: the file was cut while we walked."""
        error = files.breakage(mapping, self.path)
        if isinstance(error, StreamTruncated):
            self.wrong = [(0, str(error).removeprefix(f"{self.path}: "))]
        elif error is not None:
            raise error


def dead_owner(mapping: _core.Mapping) -> str | None:
    """Who died while it held the lock, as a person would look for it; None if nobody did."""
    owner = mapping.words()[0]
    slot, epoch = owner & 0xFFFF, (owner & ~CONTENDED) >> 16
    if not owner or not liveness.owner_is_dead(mapping, slot, epoch):
        return None
    if mapping.words()[0] & ~CONTENDED != owner & ~CONTENDED:
        return None  # it let go before it went
    if slot >= _core.MAX_WRITERS:
        return f"a writer in slot {slot}, which does not exist,"
    seen = WriterSlot(*mapping.writer_slot(slot))
    if seen.epoch != epoch:
        return "a writer whose slot has another by now"
    return liveness.describe(seen.identity)


def _slot_is_wrong(mapping: _core.Mapping, slot: int) -> str | None:
    for _ in range(20):  # a reader that is joining may have to move up first
        tail = mapping.tail()  # first: a cursor that is read later can't be behind it
        seen = reader_slot(mapping, slot)
        head = mapping.head()  # last: and not before the head
        if not seen.kept:
            return None
        alive = mapping.held(liveness.reader_offset(slot)) and not _was_left(mapping, seen, tail)
        why = _cursor_is_wrong(seen, tail, head, alive=alive)
        if why is None:
            return None
    return why


def _was_left(mapping: _core.Mapping, seen: ReaderSlot, tail: Place) -> bool:
    """Does it stand at the head that a jump left, or the first of several in a row, not having looked since?
    Then it has missed nothing: each of them goes a capacity further, and 16 bytes for each sequence."""
    known = mapping.snapshot()
    far = tail[0] - seen.position - 16 * (tail[1] - seen.sequence)
    return seen.position <= known["jumped"] and far > 0 and far % known["capacity"] == 0


def _cursor_is_wrong(seen: ReaderSlot, tail: Place, head: Place, *, alive: bool) -> str | None:
    if seen.position < _core.FIRST_POSITION:
        return "no record stands for its cursor"
    if seen.position > head[0] or seen.sequence > head[1]:
        return f"its cursor, {seen.position}, is behind the head, {head[0]}"
    if alive and seen.status == _core.SLOT_ACTIVE and seen.position < tail[0]:
        return f"its cursor, {seen.position}, has been overwritten: the tail is at {tail[0]}"
    return None


def _place(place: Place) -> str:
    return f"position {place[0]}, sequence {place[1]}"
