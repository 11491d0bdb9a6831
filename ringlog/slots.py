"""Slots: the places in the header where writers, and readers that hold the writer back, are known.

Who holds a slot's lease owns it. Claims are serialised by one more lease, on the tables, so that two
readers can't take one name at once. Epochs are never reused: a new claim outdates whatever still names
the old holder.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ringlog import _core, liveness
from ringlog.errors import NameInUse, TooManyReaders, WriterBusy

Place = tuple[int, int]


@dataclass(frozen=True)
class WriterSlot:
    """A writer slot as it stands in the file."""

    epoch: int
    status: int
    pid: int
    start_time: int
    since_boot: int
    opened: int
    last_publish: int

    @property
    def identity(self) -> liveness.Identity:
        return liveness.Identity(self.pid, self.start_time, self.since_boot)


@dataclass(frozen=True)
class ReaderSlot:
    """A reader slot as it stands in the file."""

    epoch: int
    status: int
    pid: int
    start_time: int
    since_boot: int
    opened: int
    flags: int
    raw_name: bytes
    position: int
    sequence: int
    lost_from: int

    @property
    def identity(self) -> liveness.Identity:
        return liveness.Identity(self.pid, self.start_time, self.since_boot)

    @property
    def name(self) -> str | None:
        return self.raw_name.decode("utf-8", "replace") if self.flags & _core.READER_NAMED else None

    def is_named(self, raw_name: bytes) -> bool:
        return bool(self.flags & _core.READER_NAMED) and self.raw_name == raw_name

    @property
    def kept(self) -> bool:
        """It holds a cursor: of a live reader, or of a name whose reader is gone."""
        return self.status == _core.SLOT_ACTIVE or (
            self.status == _core.SLOT_PARKED and bool(self.flags & _core.READER_NAMED)
        )


def writer_slot(mapping: _core.Mapping, slot: int) -> WriterSlot:
    return WriterSlot(*mapping.writer_slot(slot))


def reader_slot(mapping: _core.Mapping, slot: int) -> ReaderSlot:
    return ReaderSlot(*mapping.reader_slot(slot))


def claim_writer(mapping: _core.Mapping, patience: float | None) -> tuple[int, int, _core.Lease]:
    """Take a free or a dead writer's slot: its number, its new epoch, its lease.

    patience: seconds for a process that is stuck while it attaches; None: ten. Raises WriterBusy,
    TimeoutError.
    """
    table = liveness.take_lease(mapping, _core.TABLE_LEASE, patience)
    try:
        for slot in range(_core.MAX_WRITERS):
            lease = mapping.lease(liveness.writer_offset(slot))
            if lease is not None:
                epoch = mapping.claim_writer(slot, *liveness.own_identity(), time.time_ns())
                if mapping.snapshot()["clean"]:
                    mapping.set_clean(False)
                return slot, epoch, lease
    finally:
        table.drop()
    raise WriterBusy(f"{_core.MAX_WRITERS} writers have this ring open")


@dataclass
class Claim:
    """A reader slot that is ours.

    cursor: (position, sequence) to go on from, if the name had one. lost_from: the first sequence of a
    loss that the name's last reader may not have been told of; -1: none.
    """

    slot: int
    epoch: int
    lease: _core.Lease
    named: bool
    cursor: Place | None
    lost_from: int = -1


def claim_reader(mapping: _core.Mapping, raw_name: bytes) -> Claim:
    """Take the slot of this name, or a free one (b"": no name). Raises NameInUse, TooManyReaders."""
    table = liveness.take_lease(mapping, _core.TABLE_LEASE)
    try:
        slots = [reader_slot(mapping, slot) for slot in range(mapping.snapshot()["max_readers"])]
        if raw_name:
            for slot, seen in enumerate(slots):
                if seen.status == _core.SLOT_FREE or not seen.is_named(raw_name):
                    continue
                lease = mapping.lease(liveness.reader_offset(slot))
                if lease is None:
                    who = liveness.describe(seen.identity)
                    raise NameInUse(f"{raw_name.decode()!r} is in use by {who}")
                seen = reader_slot(mapping, slot)  # its reader may have gone on before it let go
                if seen.kept:
                    claim = _claim(mapping, slot, lease, raw_name, (seen.position, seen.sequence))
                    claim.lost_from = seen.lost_from
                    return claim
                lease.drop()
        for slot, seen in enumerate(slots):
            if seen.kept and seen.flags & _core.READER_NAMED:
                continue
            lease = mapping.lease(liveness.reader_offset(slot))
            if lease is None:
                continue
            seen = reader_slot(mapping, slot)  # a name that was joining may have joined and left
            if not (seen.kept and seen.flags & _core.READER_NAMED):
                return _claim(mapping, slot, lease, raw_name, None)
            lease.drop()
    finally:
        table.drop()
    raise TooManyReaders(f"all {len(slots)} reader slots are taken (max_readers at creation)")


def _claim(
    mapping: _core.Mapping, slot: int, lease: _core.Lease, raw_name: bytes, cursor: Place | None
) -> Claim:
    flags = _core.READER_LOSSLESS | (_core.READER_NAMED if raw_name else 0)
    identity = liveness.own_identity()
    epoch = mapping.claim_reader(slot, *identity, time.time_ns(), flags, raw_name)
    return Claim(slot, epoch, lease, bool(raw_name), cursor)


def release_reader(mapping: _core.Mapping, claim: Claim) -> None:
    """Let go: a name keeps its cursor, another slot is free."""
    gone = _core.SLOT_PARKED if claim.named else _core.SLOT_FREE
    if not mapping.set_reader(claim.slot, claim.epoch, _core.SLOT_ACTIVE, gone):
        mapping.set_reader(claim.slot, claim.epoch, _core.SLOT_CLAIMED, _core.SLOT_FREE)
    claim.lease.drop()


def retire_if_dead(mapping: _core.Mapping, slot: int) -> bool:
    """If the reader in this slot is dead it stops holding the writer back; a name keeps its cursor.
    True if it holds nobody back."""
    seen = reader_slot(mapping, slot)
    if seen.status == _core.SLOT_ACTIVE and not mapping.held(liveness.reader_offset(slot)):
        gone = _core.SLOT_PARKED if seen.flags & _core.READER_NAMED else _core.SLOT_FREE
        return mapping.set_reader(slot, seen.epoch, _core.SLOT_ACTIVE, gone)
    return seen.status != _core.SLOT_ACTIVE
