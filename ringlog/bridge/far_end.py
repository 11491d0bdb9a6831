"""How far what is kept at the other side goes, as far as a pull knows: looked at now and then."""

from __future__ import annotations

import asyncio
import time

from ringlog.bridge.message import Header
from ringlog.bridge.running import Running
from ringlog.bridge.transport import Inlet

MEASURED = 1.0  # seconds between two looks while events come; and SELDOM times as long as a look takes
SELDOM = 20
QUIET = 5.0  # seconds between two looks while none come


class FarEnd:
    """next: the sequence behind the newest event that is kept there. absent: what was missing at the last
    look, in words. Coroutines raise Interrupted."""

    def __init__(self, running: Running) -> None:
        self.next = 0
        self.absent = ""
        self._running = running
        self._measured = 0.0
        self._pause = MEASURED
        self._asked = 0.0
        self._looking: asyncio.Future[tuple[Header, Header] | None] | None = None
        self._quiet_at = -1  # the sequence that was due at the last look while nothing came

    async def newest(self, inlet: Inlet) -> Header | None:
        """The newest message that is kept."""
        self.look_no_more()
        asked = time.monotonic()
        ends = await self._running.answer(inlet.ends(), inlet)
        self._note(asked)
        if ends is not None:
            self.next = ends[1].next
        return ends[1] if ends is not None else None

    def _note(self, asked: float) -> None:
        """The answer brings a whole message with it: over a slow link, not too often."""
        self._measured = time.monotonic()
        self._pause = max(MEASURED, SELDOM * (self._measured - asked))

    def look_ahead(self, inlet: Inlet) -> None:
        """Now and then, while events come: how many more are there? Called again and again; the answer, which
        comes behind all that is on its way, is not waited for. Until look_no_more(), nothing but receive()
        may be asked of the inlet."""
        looking = self._looking
        if looking is None:
            if time.monotonic() - self._measured >= self._pause:
                self._asked = time.monotonic()
                self._looking = asyncio.ensure_future(inlet.ends())
        elif looking.done():
            self._looking = None
            self._note(self._asked)
            if not looking.cancelled() and looking.exception() is None and (ends := looking.result()):
                self.next = ends[1].next

    def look_no_more(self) -> None:
        """Something else is to be asked."""
        if self._looking is not None and not self._looking.cancel() and not self._looking.cancelled():
            self._looking.exception()  # looked at
        self._looking = None

    async def keeps_back(self, inlet: Inlet, due: int) -> bool:
        """Now and then, while event `due` does not come: is it there? A server may forget to send."""
        if time.monotonic() - self._measured < max(QUIET, self._pause):
            return False
        newest = await self.newest(inlet)
        if newest is None:
            self.next = due
        self.absent = "" if newest is not None else "no message is kept there now"
        forgotten = self.next > due and self._quiet_at == due
        self._quiet_at = due
        return forgotten
