"""Steps at which a process that works on a log can be killed, and how it comes to be killed there.

A step is a named point of the core, or a call of the operating system that the Python of logs makes: just
before it, or just behind it. Which there are is found by a run in which nobody is killed, so a new call is a
new step.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import BuiltinFunctionType, FrameType
from typing import NamedTuple

import points_build

import ringlog
from ringlog import _core

PACKAGE = Path(ringlog.__file__).parent
CODE = (str(PACKAGE / "log") + os.sep, str(PACKAGE / "durability.py"))
SYSTEM = ("posix", "fcntl")
# Nobody can see whether these were called. Whatever is not named here is a step.
HARMLESS = {"stat", "fstat", "listdir", "pread", "preadv", "getpid", "fspath", "urandom", "memfd_create"}
# Points of pairs go by where the header lies in its page. A segment's lies in private memory, anywhere.
PAIRS = tuple(f"{pair}_{step}" for pair in ("head", "tail", "gate", "cursor") for step in points_build.PAIR)
AT, BEFORE, BEHIND = "at", "before", "behind"
EVENTS = {BEFORE: ("c_call",), BEHIND: ("c_return", "c_exception")}


class Step(NamedTuple):
    when: str
    name: str  # of a point; or function: call
    nth: int  # time that it is passed

    def __str__(self) -> str:
        return f"{self.when} {self.name} ({self.nth})"


class Calls:
    """Counts the calls of the operating system; ends this process by SIGKILL at one of them."""

    def __init__(self, last: Step | None) -> None:
        self.count: Counter[str] = Counter()
        self._last = last
        self._behind: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, what: object) -> None:
        if not isinstance(what, BuiltinFunctionType) or not frame.f_code.co_filename.startswith(CODE):
            return
        if what.__module__ not in SYSTEM or what.__name__ in HARMLESS:
            return
        name = f"{frame.f_code.co_name}: {what.__name__}"
        counts = self.count if event in EVENTS[BEFORE] else self._behind
        counts[name] += 1
        last = self._last
        if last and event in EVENTS[last.when] and (name, counts[name]) == (last.name, last.nth):
            signal.raise_signal(signal.SIGKILL)


def watch(last: Step | None) -> Calls:
    """From here on, count; and die at that step."""
    if last and last.when == AT:
        _core.arm_point(last.name, signal.SIGKILL, last.nth)
        last = None
    calls = Calls(last)
    sys.setprofile(calls)
    return calls


def found(calls: Calls, before: dict[str, int]) -> list[Step]:
    """The steps since watch(). before: point_hits() then."""
    sys.setprofile(None)
    hits = _core.point_hits()
    passed = {name: hits[name] - before[name] for name in hits if name not in PAIRS}
    steps = [Step(AT, name, nth) for name, times in passed.items() for nth in range(1, times + 1)]
    for name, times in calls.count.items():
        steps += [Step(when, name, nth) for when in (BEFORE, BEHIND) for nth in range(1, times + 1)]
    return steps
