"""Forked processes that say what they do: victims, rivals that write too, watchers that read."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from types import FrameType

import points_plan
from points_history import Log, Told, payload
from points_programmes import Programme, read_on

import ringlog
from ringlog import _core

GENEROUS = 20.0
ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "abort": signal.SIGINT}


class Process:
    """A forked child that runs a function and says things."""

    def __init__(self, function: Callable[[Process], None]) -> None:
        self.log = Log()
        self._ready_in, self._ready_out = os.pipe()
        self._go_in, self._go_out = os.pipe()
        self._ended = False
        self.pid = os.fork()
        if self.pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                function(self)
            except BaseException:
                self.log.say("failed", json.dumps(traceback.format_exc()))
            finally:
                os._exit(0)
        for fd in (self._ready_out, self._go_in):
            os.close(fd)

    # in the child

    def ready(self) -> None:
        os.write(self._ready_out, b".")
        self.pause()

    def pause(self) -> None:
        """Until the driver says go."""
        os.read(self._go_in, 1)

    def hit(self) -> None:
        """Its point was passed, or its run is over."""
        os.write(self._ready_out, b"!")

    # in the driver

    def wait_ready(self) -> None:
        assert os.read(self._ready_in, 1) == b".", "it did not get ready"

    def wait_hit(self) -> None:
        """Until it was interrupted, or is through; but not for long: it may be waiting for us."""
        if select.select([self._ready_in], [], [], 1.0)[0]:
            os.read(self._ready_in, 1)

    def go(self) -> None:
        os.write(self._go_out, b".")

    def wait(self) -> int:
        """Its status, when it has ended."""
        status = os.waitpid(self.pid, 0)[1]
        self._ended = True
        return status

    def wait_changed(self, seconds: float) -> int | None:
        """Its status, if it ends or is stopped in so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WUNTRACED | os.WNOHANG)
            if pid:
                self._ended = not os.WIFSTOPPED(status)
                return status
            time.sleep(0.0005)
        return None

    def end(self) -> None:
        """Kill it, unless it was waited for."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._ready_in)
        os.close(self._go_out)
        self.log.close()

    def told(self, who: int) -> Told:
        return Told.of(self.log.read(), who)


def victim(programme: type[Programme], path: str, point: str, action: str) -> Callable[[Process], None]:
    def run(process: Process) -> None:
        log = process.log
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # Ctrl-C in the middle of opening leaves an object behind
        it = programme(path, log)
        it.prepare()
        process.ready()
        try:
            arm(point, ACTIONS.get(action, 0), log, it.hits)
            it.run()
        except KeyboardInterrupt:
            log.say("interrupted")
        sys.settrace(None)
        process.hit()
        _core.arm_point(None)
        if _core.point_hits().get(point):
            log.say("passed")
        process.pause()
        it.again()
        log.say("finished")

    return run


def arm(point: str, number: int, log: Log, hits: int) -> None:
    """A point of the core, or `module.function:line` of the policy; `:*` notes which lines are run."""
    name, _, line = point.partition(":")
    if not line:
        _core.arm_point(point, number, points_plan.HITS.get(point, hits))
        return
    code = points_plan.FUNCTIONS[name].__code__

    def on_line(frame: FrameType, event: str, _: object) -> object:
        here = str(frame.f_lineno - code.co_firstlineno)
        if event == "line" and line == "*":
            log.say("line", here)
        elif event == "line" and line == here:
            sys.settrace(None)
            frame.f_trace = None
            log.say("stepped")
            signal.raise_signal(number)
            return None
        return on_line

    sys.settrace(lambda frame, event, _: on_line if frame.f_code is code else None)


def rival(path: str, who: int, *, quiet: bool) -> Callable[[Process], None]:
    def run(process: Process) -> None:
        if quiet:
            process.ready()
        with ringlog.Writer(path, timeout=GENEROUS) as writer:
            if not quiet:
                process.ready()
            for number in range(40):
                process.log.say("begin", number, 1)
                try:
                    process.log.say("ack", writer.append(payload(who, number)))
                except ringlog.RingRemoved:
                    process.log.say("removed")
                    return
                time.sleep(0.0005)

    return run


def watcher(path: str, options: dict[str, object], select_on: bool = False) -> Callable[[Process], None]:
    def run(process: Process) -> None:
        with ringlog.Reader(path, **options) as reader:  # type: ignore[arg-type]
            if select_on:
                import select

                select.select([reader.fileno()], [], [], 0)
                reader.poll()
            process.ready()
            read_on(reader, process.log)

    return run
