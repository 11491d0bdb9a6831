"""What of this machine hurts rings: its memory, its limits, its settings. One file a topic.

A check is a function in `CHECKS` that takes Surroundings and yields findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.clock import slow_clock
from ringlog.doctor.machine.huge_pages import huge_pages
from ringlog.doctor.machine.login import removed_at_logout
from ringlog.doctor.machine.memory import memory_limit
from ringlog.doctor.machine.sandbox import no_waitv
from ringlog.doctor.machine.space import holes, little_space
from ringlog.doctor.machine.surroundings import File, Surroundings, surroundings_of
from ringlog.doctor.machine.swap import swapping
from ringlog.doctor.machine.system import System

__all__ = ["CHECKS", "File", "Surroundings", "System", "check_machine", "surroundings_of"]

Check = Callable[[Surroundings], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    little_space,
    holes,
    memory_limit,
    swapping,
    removed_at_logout,
    huge_pages,
    slow_clock,
    no_waitv,
)


def check_machine(seen: Surroundings) -> list[Finding]:
    """Everything that is to be said about this machine, problems first."""
    found = [finding for one in CHECKS for finding in one(seen)]
    return sorted(found, key=lambda finding: finding.severity != "problem")
