"""What pull does to its ring: events are appended, gaps are left; its lossless readers are waited for."""

from __future__ import annotations

from ringlog.bridge.far_end import FarEnd
from ringlog.bridge.message import Header
from ringlog.bridge.running import Blocked, Running
from ringlog.bridge.target import Target
from ringlog.bridge.transport import Inlet
from ringlog.errors import RingFull


class Filling:
    """A ring, and what it is filled from. Methods wait as long as a reader of the ring is in the way, and
    look meanwhile how far the other side gets; they raise BadMessage."""

    def __init__(self, ring: Target, running: Running, far: FarEnd, inlet: Inlet) -> None:
        self._ring = ring
        self._running = running
        self._far = far
        self._inlet = inlet

    async def append(self, data: bytes, offset: int, count: int) -> None:
        """These events, from `offset` on, in as many parts as the ring needs."""
        ring, figures = self._ring, self._running.figures
        blocked = Blocked(self._running)
        while count > 0:
            sequence = ring.sequence
            try:
                size = ring.append(data, offset, sequence)
            except RingFull as full:
                await self._wait(blocked, full)
                continue
            offset += size
            count -= ring.sequence - sequence
            figures.events += ring.sequence - sequence
            figures.bytes += size
            blocked.over()
        if figures.state != "running":
            figures.state, figures.note = "running", ""

    async def leave_gap(self, header: Header) -> None:
        """What comes next is not what was due, though it was asked for: it is not there any more."""
        ring, running = self._ring, self._running
        due, late = ring.sequence, ring.is_new
        await self.jump(header.sequence)
        if late:
            running.notice(f"begins with event {header.sequence}: the oldest that is kept there")
            return
        running.figures.gaps += 1
        running.figures.missing += header.sequence - due
        running.notice(f"events {due} to {header.sequence - 1} are missing: not kept there any more")

    async def jump(self, sequence: int) -> None:
        """Go on there."""
        blocked = Blocked(self._running)
        while self._ring.sequence < sequence:
            try:
                self._ring.jump(sequence)
            except RingFull as full:
                await self._wait(blocked, full)
        blocked.over()

    async def _wait(self, blocked: Blocked, full: RingFull) -> None:
        await blocked.wait(str(full))
        self._far.look_ahead(self._inlet)
