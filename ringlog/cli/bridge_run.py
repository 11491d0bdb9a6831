"""How a push or pull is run from the command line: until its stream ends, or somebody ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

from ringlog.bridge.figures import Figures
from ringlog.cli import output
from ringlog.cli.bridge_errors import explained_bridge
from ringlog.cli.bridge_line import BridgeLine
from ringlog.cli.errors import Terminated

Work = Callable[[threading.Event, BridgeLine], Figures]


class Signals:
    """Ctrl-C and SIGTERM as an event: once to end in order, twice to end at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._number = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Within, they set the event; behind it, what came is raised, as anywhere else."""
        numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._come) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.check()

    def check(self) -> None:
        """Raise what came."""
        if self._number:
            raise Terminated if self._number == signal.SIGTERM else KeyboardInterrupt

    def _come(self, number: int, _frame: FrameType | None) -> None:
        again = self.event.is_set()
        self._number = number
        self.event.set()
        if again:
            self.check()


def run(path: str, work: Work, *, as_json: bool, verbose: bool) -> None:
    """Do the work, show how it goes, and sum it up, however it ends."""
    line = BridgeLine(path)
    signals = Signals()
    stopped = True
    try:
        with explained_bridge(path), closing(line), signals.caught():
            line.last = work(signals.event, line)
            stopped = signals.event.is_set()
    except Exception:
        stopped = False
        raise
    finally:
        if verbose or line.was_shown or (stopped and not as_json):
            line.sum_up()
        if as_json:
            output.print_json({**line.figures(), "stopped": stopped})
    if verbose and line.last is not None:
        output.say(f"{path}: {'the stream has ended' if line.last.state == 'ended' else 'done'}")
