"""G5, G4: who counts as dead, and who never does. Planted owner words, without threads."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import time

import pytest
from oracle import SLOT_ACTIVE, SLOT_FREE, WRITER_SLOT_SIZE, RingFile, decode
from writer_support import (
    CONTENDED,
    WRITERS_AT,
    assert_consistent,
    owner_word,
    plant_owner,
    semaphore_name,
    semaphore_value,
    set_slot_state,
    slot_epochs,
)

import ringlog

CAPACITY = 1 << 16


@pytest.fixture
def path(ring_path: str) -> str:
    ringlog.create(ring_path, CAPACITY)
    return ring_path


@pytest.mark.parametrize("drain", [True, False], ids=["no token", "a token"])
@pytest.mark.parametrize(
    "word",
    [
        owner_word(5, 7),
        owner_word(5, 7) | CONTENDED,
        owner_word(63, 1),
        owner_word(64, 1),
        owner_word(0xFFFF, 1 << 46),
        owner_word(0, 0) | CONTENDED,
        (1 << 64) - 1,
        1,
    ],
    ids=hex,
)
def test_an_owner_without_a_lease_is_replaced(path: str, word: int, drain: bool) -> None:
    with RingFile(path) as file:
        plant_owner(file, drain=drain)
        file["owner"] = word
    with ringlog.Writer(path, timeout=10) as writer:
        assert writer.append(b"first") == 0
    assert assert_consistent(path) == 1
    assert semaphore_value(semaphore_name(path)) == 1


def test_an_owner_whose_slot_has_another_holder_by_now_is_replaced(path: str) -> None:
    with ringlog.Writer(path, timeout=10) as holder, RingFile(path) as file:
        slot, epoch = file["last_owner"], 0
        holder.append(b"0")
        slot, epoch = file["last_owner"] & 0xFFFF, file["last_owner"] >> 16
        file["owner"] = owner_word(slot, epoch - 1)
        with ringlog.Writer(path, timeout=10) as other:
            assert other.append(b"1") == 1
        file["owner"] = owner_word(slot, epoch - 1)
        assert holder.append(b"2") == 2  # the successor in the slot itself, too
    assert assert_consistent(path) == 3


def test_an_owner_that_lives_is_never_replaced(path: str) -> None:
    with ringlog.Writer(path, timeout=0.3) as holder, RingFile(path) as file:
        holder.append(b"0")
        word = file["owner"] = file["last_owner"]
        with ringlog.Writer(path, timeout=0.3) as other:
            with pytest.raises(ringlog.WriterBusy, match=f"pid {os.getpid()} "):
                other.append(b"1")
            assert file["owner"] & ~CONTENDED == word
            assert holder.append(b"1") == 1  # its own: an interrupted call of this writer left it
            assert other.append(b"2") == 2


def test_only_the_lease_tells_who_lives(path: str) -> None:
    """Not the pid: here the dead owner's slot names a process that runs, and started when it says."""
    with ringlog.Writer(path) as writer, RingFile(path) as file:
        writer.append(b"0")
        slot = file["last_owner"] & 0xFFFF
        at = WRITERS_AT + slot * WRITER_SLOT_SIZE
        identity = bytes(file.memory[at + 8 : at + 32])
        set_slot_state(file, 9, 3, SLOT_ACTIVE)
        there = WRITERS_AT + 9 * WRITER_SLOT_SIZE
        file.memory[there + 8 : there + 32] = identity
        file["owner"] = owner_word(9, 3)
        assert writer.append(b"1") == 1


def test_a_read_lock_does_not_make_a_dead_owner_look_alive(path: str) -> None:
    """Anyone who may read the file can take a read lock. That must not stop the writers."""
    with open(path, "rb") as reading, RingFile(path) as file:
        at = WRITERS_AT + 5 * WRITER_SLOT_SIZE
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, at, 1, 0)
        fcntl.fcntl(reading, fcntl.F_OFD_SETLK, lock)
        plant_owner(file, slot=5)
        with ringlog.Writer(path, timeout=10) as writer:
            assert writer.append(b"0") == 0


def test_a_traditional_lock_and_a_stray_close_lose_no_lease(path: str) -> None:
    """POSIX record locks of a process all go when it closes any descriptor of the file. A lease stays."""
    with ringlog.Writer(path, timeout=0.3) as holder, RingFile(path) as file:
        holder.append(b"0")
        for _ in range(10):
            os.close(os.open(path, os.O_RDWR))
            ringlog.info(path)
        file["owner"] = file["last_owner"]
        with ringlog.Writer(path, timeout=0.3) as other, pytest.raises(ringlog.WriterBusy):
            other.append(b"1")
        file["owner"] = 0


def test_nobody_goes_on_in_a_ring_whose_pairs_contradict_each_other(path: str) -> None:
    with ringlog.Writer(path, timeout=10) as writer:
        writer.append(b"0")
    with RingFile(path) as file:
        file["head[0].position"] = file["head[1].position"] = 0
        plant_owner(file)
        for _ in range(2):  # the lock stays the dead one's: the second may not find it as if in order
            with ringlog.Writer(path, timeout=10) as writer, pytest.raises(ringlog.CorruptStream):
                writer.append(b"1")


@pytest.mark.parametrize("status", [SLOT_FREE, SLOT_ACTIVE])
def test_epochs_go_on_from_what_the_slot_says(path: str, status: int) -> None:
    with RingFile(path) as file:
        for slot in range(64):
            set_slot_state(file, slot, 100 + slot, status)
        with ringlog.Writer(path), ringlog.Writer(path):
            assert slot_epochs(file)[:3] == [101, 102, 102]


class Interrupted(ringlog.Writer):
    """Ctrl-C arrives when a dead owner has just been replaced, before anything is put in order."""

    armed = True

    def _replace(self, seen: int) -> bool:
        replaced = super()._replace(seen)
        if replaced and self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGINT)
        return replaced

    def _take_over(self, *arguments: object) -> object:
        taken = super()._take_over(*arguments)  # type: ignore[misc]
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGINT)
        return taken


def test_ctrl_c_between_replacing_the_dead_and_recovery_loses_no_recovery(path: str) -> None:
    late = time.time_ns() + 1_000_000_000_000
    with ringlog.Writer(path, timeout=10) as writer:
        writer.append(b"0")
    with RingFile(path) as file:
        file["event_count"] += 1  # published up to here, and no further
        file["last_timestamp"] = late
        plant_owner(file)
    with Interrupted(path, timeout=10) as interrupted:
        with pytest.raises(KeyboardInterrupt):
            interrupted.append(b"never")
        with ringlog.Writer(path, timeout=10) as other:
            assert other.append(b"1") == 1
        assert interrupted.append(b"2") == 2
    assert [(event.sequence, event.data) for event in decode(path)] == [(0, b"0"), (1, b"1"), (2, b"2")]
    assert decode(path)[-1].timestamp < late
