"""`ringlog.bridge.push`: a stream's events to where other machines find them, each once and in order.

What is kept there is the truth about what was sent: after every interruption, and at every start, push asks
how far that goes and goes on behind it. What it takes from a ring it finishes only when it is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ringlog.bridge.errors import Full, Interrupted, MessageTooLarge, OtherStream
from ringlog.bridge.figures import Figures
from ringlog.bridge.message import Header, Message, Stream
from ringlog.bridge.running import TURN, NewStream, Progress, Running, Stop, Stopped
from ringlog.bridge.sources import Run, Source, open_source
from ringlog.bridge.transport import Outlet, Transport
from ringlog.errors import Overrun, RingRemoved, StreamEnded
from ringlog.files import StrPath
from ringlog.places import Start

APART = 0.005  # seconds between two small messages while the answer to the first is not there
LONGEST = 1.0  # seconds to linger
LAST_WORDS = 5.0  # seconds to wait, when stopped, for what is in flight
AGAIN = 0.25  # seconds until a server that was full is asked again
IN_VAIN = (
    8  # interruptions in a row, with nothing kept in between, until it is said that nothing gets through
)


class _Flight(NamedTuple):
    kept: asyncio.Future[None]
    run: Run
    sent: float


def push(
    source: StrPath,
    to: Transport,
    *,
    log: StrPath | None = None,
    name: str = "bridge",
    start: Start = "oldest",
    follow: bool = True,
    linger: float = 0.0,
    new_stream: NewStream = "refuse",
    stop: Stop = None,
    notice: Callable[[str], object] | None = None,
    progress: Progress | None = None,
) -> Figures:
    """Send a stream on, until it ends, its ring is removed or `stop` says so; the figures at the end.

    source: a ring, or a log. A ring is read as the reader `name`, for which its writer waits: an outage that
    is longer than the ring stops the writer. With `log`, the log that the ring is recorded into, nobody
    waits, and what the ring has lost is taken from there. to: where to, as Nats(subject). start: where to
    begin if nothing of the stream is kept there yet and, for a ring, the name is new. follow: of a log, go on
    as it grows; without, its end is that of this call, and not of the stream. linger: seconds that a message
    which is not full waits for more events: with many copies and little to say, a millisecond or five make
    it cheaper for all of them. new_stream: what to do where another stream is kept: "refuse" is OtherStream;
    "replace" goes on with this one behind it. stop: a callable or an Event, asked ten times a second; what
    was sent by then is waited for. notice: called with a line for people: disconnected, events that are
    gone. progress: called with the Figures, several times a second.

    Blocks, in an event loop of its own (in a coroutine: `await asyncio.to_thread(push, ...)`). Events that
    neither ring nor log has any more are left out: whoever pulls finds the gap. Raises BridgeError
    (ConnectFailed, NotAuthorized, BadSetup, OtherStream, MessageTooLarge), and what opening and reading the
    source raise (NameInUse, CorruptStream, ...). A server that goes away later is waited for.
    """
    if new_stream not in ("refuse", "replace"):
        raise ValueError(f'new_stream must be "refuse" or "replace", not {new_stream!r}')
    if not 0 <= linger <= LONGEST:
        raise ValueError(f"linger must be 0 to {LONGEST:g} seconds, not {linger}")
    path = os.path.abspath(os.fspath(source))
    with contextlib.closing(open_source(path, log=log, name=name, start=start, follow=follow)) as opened:
        figures = Figures("push", path, to.address, name=name)
        running = Running(figures, stop, notice, progress)
        work = _Push(opened, to.outlet(), running, new_stream, linger)
        return running.run(work.run, os.stat(path).st_mode & 0o666, work.measure)


class _Push:
    def __init__(
        self, source: Source, outlet: Outlet, running: Running, new_stream: NewStream, linger: float
    ) -> None:
        self._source = source
        self._outlet = outlet
        self._running = running
        self._figures = running.figures
        self._new_stream = new_stream
        self._linger = linger
        self._lingered = False
        self._kept = source.sequence  # everything before it is kept there, or need not be
        self._kept_time = 0  # of the newest event that is
        self._end_kept = -1  # the sequence at which the end of the stream is noted there
        self._flights: deque[_Flight] = deque()
        self._in_vain = 0  # interruptions since something was kept, or since the connection was lost

    async def run(self) -> None:
        self._woken = asyncio.Event()
        try:
            await self._running.answer(self._outlet.open(self._running.notice), self._outlet)
            if await self._has_begun():
                while not await self._once():
                    pass
        finally:
            await self._outlet.close()

    async def _has_begun(self) -> bool:
        """Wait for a log's first event, which says what stream it is of."""
        while self._source.stream is None:
            self._note_idle("the log is empty")
            try:
                self._source.take(1)  # taken again below
            except StreamEnded:
                self._figures.state = "ended"
                return False
            await self._running.pause(TURN)
        return True

    async def _once(self) -> bool:
        """From one interruption to the next; True: that was all."""
        self._flights.clear()
        try:
            await self._go_on_behind(await self._running.answer(self._outlet.resume(), self._outlet))
            await self._send_all()
        except Interrupted as error:
            self._figures.state, self._figures.note = "disconnected", str(error)
            self._in_vain = self._in_vain + 1 if self._outlet.connected else 0
            if self._in_vain == IN_VAIN:
                self._running.notice(f"nothing gets through: {error}")
            await self._running.pause(AGAIN / 2)
        except Full as error:
            if self._figures.state != "blocked":
                self._running.notice(str(error))
            self._figures.state, self._figures.note = "blocked", str(error)
            await self._running.pause(AGAIN)
        else:
            return True
        return False

    # ---- where to go on ----

    async def _go_on_behind(self, newest: Header | None) -> None:
        stream = self._stream()
        self._figures.stream = stream.ring_id
        if newest is not None and newest.stream.is_same(stream):
            self._end_kept = newest.sequence if newest.ended else -1
            self._kept, self._kept_time = newest.next, newest.time
        elif newest is not None and self._new_stream == "refuse":
            raise OtherStream(
                f"{self._figures.address} has the stream {newest.stream}, {self._figures.path} is {stream}: "
                "a ring that was made again? Use another subject, or let this one replace it"
            )
        while True:
            try:
                self._source.seek(self._kept)
                return
            except ValueError as error:
                if not self._source.lags:
                    raise OtherStream(
                        f"{self._figures.address} has this stream up to event {self._kept - 1}, "
                        f"{self._figures.path} only up to {self._source.head() - 1}: not the same"
                    ) from None
                self._figures.note = str(error)
            await self._running.pause(TURN)

    def _stream(self) -> Stream:
        assert self._source.stream is not None
        return self._source.stream

    # ---- sending ----

    async def _send_all(self) -> None:
        """Until the end. Raises Interrupted and Full."""
        while True:
            self._reap()
            if self._running.stopping():
                await self._land_last()
                raise Stopped
            self._running.tell()
            if (pause := self._pause()) > 0:
                await asyncio.wait({self._flights[0].kept}, timeout=pause)
                continue
            if self._linger and not self._lingered and 0 < self._source.backlog() < self._outlet.limit:
                await asyncio.sleep(self._linger)
                self._lingered = True  # what has come meanwhile goes, with whatever is there by now
                continue
            self._lingered = False
            try:
                run = self._source.take(self._outlet.limit)
            except Overrun as lost:
                self._note_gap(lost)
                continue
            except StreamEnded:
                await self._end()
                return
            except RingRemoved:
                await self._land()
                self._figures.state, self._figures.note = "ended", "the ring was removed"
                return
            if run is None:
                await self._wait()
                continue
            await self._send(run)

    def _pause(self) -> float:
        """How long had the next message better wait, and grow meanwhile? A small one costs everybody as much
        as a large one. But where answers take their time, they are not waited for."""
        if len(self._flights) >= self._outlet.in_flight:
            return TURN
        if not self._flights or self._source.backlog() >= self._outlet.limit // 4:
            return 0.0
        return self._flights[-1].sent + APART - time.monotonic()

    async def _send(self, run: Run) -> None:
        if len(run.data) > self._outlet.limit:
            raise MessageTooLarge(
                f"event {run.sequence} has {len(run.data)} bytes with its entry, and {self._figures.address} "
                f"takes {self._outlet.limit} in a message: raise its max_payload"
                " (or message_bytes, keep_bytes)"
            )
        header = Header(self._stream(), run.sequence, run.count, run.last_time)
        kept = await self._outlet.send(Message(header, run.data))
        self._flights.append(_Flight(kept, run, time.monotonic()))
        await asyncio.sleep(0)  # what was handed over goes out

    def _reap(self) -> None:
        """What is kept by now, in order. Raises what became of the first that is not."""
        figures = self._figures
        while self._flights and self._flights[0].kept.done():
            kept, run, _ = self._flights.popleft()
            kept.result()
            self._in_vain = 0
            self._source.finish(run)
            self._kept, self._kept_time = run.next, run.last_time
            figures.events += run.count
            figures.bytes += len(run.data)
            figures.messages += 1
            figures.state, figures.note = "running", ""

    async def _wait(self) -> None:
        """For events, or for word of what is in flight."""
        if not self._flights:
            self._note_idle()
        else:
            self._flights[0].kept.add_done_callback(lambda _: self._woken.set())
        await self._source.wait(self._woken, TURN)
        self._woken.clear()

    def _note_idle(self, note: str = "") -> None:
        """There is nothing to send. A connection that is lost meanwhile fails nothing, and has to be said."""
        if self._outlet.connected:
            self._figures.state, self._figures.note = "running", note
        else:
            self._figures.state, self._figures.note = "disconnected", "nothing to send meanwhile"

    async def _land(self) -> None:
        """Wait for everything in flight."""
        while self._flights:
            await asyncio.wait({self._flights[0].kept}, timeout=TURN)
            self._reap()
            self._running.tell()

    async def _land_last(self) -> None:
        """The same, but not for long: what is not known to be kept is asked for at the next start."""
        with contextlib.suppress(asyncio.TimeoutError, Interrupted, Full):
            await asyncio.wait_for(self._land(), LAST_WORDS)

    async def _end(self) -> None:
        await self._land()
        if self._source.knows_end and self._end_kept != self._source.sequence:
            header = Header(self._stream(), self._source.sequence, 0, self._kept_time, ended=True)
            kept = await self._outlet.send(Message(header, b""))
            await self._running.answer(_result(kept), self._outlet)
        self._figures.state, self._figures.note = "ended", ""

    def _note_gap(self, lost: Overrun) -> None:
        self._figures.gaps += 1
        self._figures.missing += lost.count
        self._running.notice(f"events {lost.first} to {lost.last} are gone: they can't be sent")

    def measure(self) -> None:
        figures = self._figures
        figures.sequence, figures.in_flight = self._kept, len(self._flights)
        figures.reconnects = self._outlet.reconnects
        figures.lag_events = max(0, self._source.head() - self._kept)
        oldest = self._flights[0].run.first_time if self._flights else self._kept_time
        late = figures.lag_events and oldest
        figures.lag_seconds = max(0.0, time.time() - oldest / 1e9) if late else 0.0


async def _result(kept: asyncio.Future[None]) -> None:
    await kept
