"""`ringlog.bridge.pull`: what was pushed, into a ring of this machine: the same events, each once.

The ring is the truth about what has arrived: at every start, and after every interruption, pull asks for
what comes behind its newest event. Whatever comes again is left out by its sequence, and what does not come
is looked for before it is called missing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from typing import Literal

from ringlog.bridge.errors import Interrupted, OtherStream
from ringlog.bridge.far_end import FarEnd
from ringlog.bridge.figures import Figures
from ringlog.bridge.filling import Filling
from ringlog.bridge.message import Header
from ringlog.bridge.running import TURN, NewStream, Progress, Running, Stop
from ringlog.bridge.target import ENTRY, Target, judge, skip
from ringlog.bridge.transport import Delivery, Inlet, Transport
from ringlog.files import StrPath
from ringlog.ring import check_capacity

Start = Literal["oldest", "latest"] | int
LOOK = 0.25  # seconds between two looks for a first message
FAR = 1 << 62  # a sequence behind all that there are


def pull(
    ring: StrPath,
    of: Transport,
    *,
    capacity: int | None = None,
    mode: int = 0o600,
    start: Start = "oldest",
    new_stream: NewStream = "refuse",
    stop: Stop = None,
    notice: Callable[[str], object] | None = None,
    progress: Progress | None = None,
) -> Figures:
    """Copy what was pushed into a ring here, until its stream has ended or `stop` says so; the figures.

    ring: made when the first message is there, with `capacity` and `mode`; one that is there goes on where
    it is, and must hold the same stream. It has the stream's id, sequences, times and checksums. Nobody else
    can append to it meanwhile. of: where from, as Nats(subject). start: where a new ring begins: "oldest"
    that is kept, "latest", or a sequence. new_stream: what to do when another stream comes: "refuse" is
    OtherStream; "replace" removes the ring, and makes a new one in its place. stop, notice, progress: as
    push's.

    Blocks, in an event loop of its own (in a coroutine: by asyncio.to_thread). A lossless reader of this
    ring that is behind is waited for. Events that are not kept there any more are a gap: readers get an
    exact Overrun, `notice` a line. Raises BridgeError (ConnectFailed, NotAuthorized, BadSetup, BadMessage,
    OtherStream), what opening a Writer raises (WriterBusy: another pull is at it), and RingRemoved if the
    ring is removed meanwhile. A server that goes away later is waited for.
    """
    if new_stream not in ("refuse", "replace"):
        raise ValueError(f'new_stream must be "refuse" or "replace", not {new_stream!r}')
    if isinstance(start, bool) or not (
        start in ("oldest", "latest") or (isinstance(start, int) and start >= 0)
    ):
        raise ValueError(f'start must be "oldest", "latest" or a sequence, not {start!r}')
    if capacity is not None:
        check_capacity(capacity)
    path = os.path.abspath(os.fspath(ring))
    running = Running(Figures("pull", path, of.address), stop, notice, progress)
    work = _Pull(path, of, running, start, new_stream, capacity, mode)
    try:
        work.open_existing()
        return running.run(work.run, mode, work.measure)
    finally:
        work.close()


class _Pull:
    def __init__(
        self,
        path: str,
        of: Transport,
        running: Running,
        start: Start,
        new_stream: NewStream,
        capacity: int | None,
        mode: int,
    ) -> None:
        self._path = path
        self._of = of
        self._running = running
        self._figures = running.figures
        self._far = FarEnd(running)
        self._start = start
        self._new_stream = new_stream
        self._capacity = capacity
        self._mode = mode
        self._target: Target | None = None
        self._inlet: Inlet | None = None
        self._reconnects = 0  # of earlier connections
        self._sought = -1  # the sequence that was asked for last; -1: ask
        self._asked_for = False  # what comes first then may begin with events that we have
        self._time = 0  # of the newest event here, or the one that is due

    def open_existing(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._target = Target(self._path)
        if self._target is not None and self._capacity is not None:
            self._target.check_capacity(self._capacity)

    def close(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None

    async def run(self) -> None:
        """As often as a new ring has to take the place of one."""
        gone = ""
        while not await self._fill(gone):
            gone = self._ring.id
            self._ring.remove()
            self._target = None
            self._start = "oldest"

    async def _fill(self, gone: str) -> bool:
        """False: another stream has begun, and is to replace this one. gone: the ring before, replaced."""
        target = self._target.id if self._target else secrets.token_hex(16)
        inlet = self._inlet = self._of.inlet(target)
        try:
            await self._running.answer(inlet.open(self._running.notice), inlet)
            if self._target is None:
                stream = (await self._newest(inlet, known_first=bool(gone) or self._start != "oldest")).stream
                self._target = Target.create(self._path, stream, self._capacity, self._mode, target)
                if gone:  # only now: in between, nothing might be kept
                    with contextlib.suppress(Interrupted):
                        await self._running.answer(inlet.forget(gone), inlet)
            self._figures.stream = self._target.stream.ring_id
            return await self._receive_all(inlet)
        finally:
            self._far.look_no_more()
            self._reconnects += inlet.reconnects
            self._inlet = None
            await inlet.close()

    async def _newest(self, inlet: Inlet, *, known_first: bool = False) -> Header:
        """The newest message that is kept there, as soon as there is one.

        Asked first: behind a seek, the answer would come after all that is sent then. But where messages are
        kept only for those who want them, we have to be known for there to be any, and for all of them to be
        there that come behind the newest one.
        """
        known = False
        while True:
            try:
                newest = await self._far.newest(inlet) if known or not known_first else None
                if newest is not None:
                    return newest
                if not known:
                    await self._be_known(inlet)
                    known = True
                    continue
                self._figures.state, self._figures.note = "running", "nothing was sent yet"
                await inlet.receive(TURN)  # it will come again
            except Interrupted as error:
                self._figures.state, self._figures.note = "disconnected", str(error)
                known = False
            await self._running.pause(LOOK)

    async def _be_known(self, inlet: Inlet) -> None:
        if self._target is not None:
            await self._seek(inlet)
            return
        goal = 0 if self._start == "oldest" else FAR if self._start == "latest" else self._start
        await self._running.answer(inlet.seek(goal, lasting=False), inlet)

    def _is_other(self, header: Header) -> bool:
        """Is it of another stream, which is to replace ours? Raises OtherStream."""
        stream = self._ring.stream
        if header.stream.is_same(stream):
            return False
        what = f"{self._figures.address} has the stream {header.stream}, {self._path} is {stream}"
        if self._new_stream == "refuse":
            raise OtherStream(f"{what}: remove the ring, pull into another one, or let it be replaced")
        self._running.notice(f"{what}: the ring is replaced")
        return True

    @property
    def _ring(self) -> Target:
        assert self._target is not None
        return self._target

    async def _receive_all(self, inlet: Inlet) -> bool:
        """True: the stream has ended. False: another one has begun."""
        newest = await self._newest(inlet)
        if self._is_other(newest):
            return False
        filling = Filling(self._ring, self._running, self._far, inlet)
        if self._ring.is_new and self._start != "oldest":
            begin = newest.next if self._start == "latest" else self._start
            await filling.jump(begin)
        self._sought = -1
        while True:
            try:
                if self._sought < 0:
                    await self._seek(inlet)
                delivery = await inlet.receive(TURN)
                if delivery is None:
                    await self._idle(inlet)
                elif not delivery.header.stream.is_same(self._ring.stream):
                    if await self._is_over(delivery, inlet):
                        return False
                elif await self._take(delivery, inlet, filling):
                    return True
                else:
                    self._far.look_ahead(inlet)
            except Interrupted as error:
                self._figures.state, self._figures.note = "disconnected", str(error)
                self._sought = -1
                await self._running.pause(LOOK)
            self._running.check()

    async def _is_over(self, delivery: Delivery, inlet: Inlet) -> bool:
        """Has the other stream, which this message is of, taken the place of ours? Raises OtherStream.

        Not if ours goes on behind it: then it was there for a while, and what there is of it is left out.
        """
        self._far.look_no_more()
        ends = await self._running.answer(inlet.ends(), inlet)
        gone = ends is None or not ends[1].stream.is_same(self._ring.stream)
        if gone and self._is_other(delivery.header):
            return True
        await delivery.done()
        return False

    async def _seek(self, inlet: Inlet) -> None:
        """Let come next what is behind the newest event here; and that event itself, to compare, if it was
        not done yet. Raises Interrupted."""
        ring = self._ring
        self._far.look_no_more()
        goal = ring.sequence if ring.unchecked is None else ring.unchecked
        await self._running.answer(inlet.seek(goal), inlet)
        self._sought, self._asked_for = ring.sequence, True

    # ---- a message ----

    async def _take(self, delivery: Delivery, inlet: Inlet, filling: Filling) -> bool:
        """Append what is new in it; True: it is the end of the stream. Raises Interrupted, BadMessage."""
        header, ring = delivery.header, self._ring
        if header.sequence > ring.sequence and self._sought != ring.sequence:
            self._sought = -1  # something came out of its order, or is missing: ask for it
            return False
        judge(header, delivery.data)
        if header.sequence > ring.sequence:
            await filling.leave_gap(header)
        if header.ended:
            return await self._end(delivery, inlet)
        ring.check(header, delivery.data)
        known = min(ring.sequence - header.sequence, header.count)
        if not self._asked_for:
            self._figures.duplicates += known
        self._asked_for = False
        offset = skip(delivery.data, known, header)
        if known < header.count:
            self._time = ENTRY.unpack_from(delivery.data, offset)[0]
        await filling.append(delivery.data, offset, header.count - known)
        self._time = header.time
        self._figures.messages += 1
        await delivery.done()
        return False

    async def _end(self, delivery: Delivery, inlet: Inlet) -> bool:
        """The mark of an end; unless the stream went on behind it."""
        newest = await self._far.newest(inlet)
        here = delivery.header.sequence == self._ring.sequence
        last = newest is not None and newest.ended and newest.sequence == delivery.header.sequence
        if here and last:
            self._ring.end()
            self._figures.state, self._figures.note = "ended", ""
        await delivery.done()
        return here and last

    # ---- figures ----

    async def _idle(self, inlet: Inlet) -> None:
        """Nothing comes: is there really nothing?"""
        due = self._ring.sequence
        self._figures.state, self._figures.note = "running", self._far.absent
        if await self._far.keeps_back(inlet, due):
            self._running.notice(f"event {due} is there and does not come: it is asked for again")
            self._sought = -1

    def measure(self) -> None:
        figures = self._figures
        if self._target is None:
            return
        figures.sequence = self._target.sequence
        figures.reconnects = self._reconnects + (self._inlet.reconnects if self._inlet else 0)
        figures.lag_events = max(0, self._far.next - figures.sequence)
        late = figures.lag_events and self._time
        figures.lag_seconds = max(0.0, time.time() - self._time / 1e9) if late else 0.0
