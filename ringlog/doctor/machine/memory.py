"""Is this process allowed as much memory as the rings take?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import Surroundings, total
from ringlog.doctor.machine.system import System
from ringlog.words import size_text

_NO_LIMIT = 1 << 60  # version 1 writes about 2**63 where there is none


class Limit(NamedTuple):
    """The lowest memory limit above this process. used: bytes charged to that group; None: not known."""

    group: str
    bytes: int
    used: int | None


def memory_limit(seen: Surroundings) -> Iterator[Finding]:
    """Do the rings fit into the memory limit of the control group?"""
    rings = total(seen.in_memory())
    limit = lowest_limit(seen.system)
    if limit is None or not rings or rings <= limit.bytes // 2:
        return
    over = rings >= limit.bytes
    yield Finding(
        limit.group,
        "memory-limit",
        "problem" if over else "note",
        f"the rings in memory take {size_text(rings)}, and processes in this control group may have "
        f"{size_text(limit.bytes)}: a ring's pages are charged to whoever touches them first, so "
        + ("the kernel will kill a process here (OOM)" if over else "over half of it can go to rings"),
        "raise the limit (systemd: MemoryMax; docker: --memory; Kubernetes: resources.limits.memory), or "
        "make smaller rings",
        {"rings": rings, "limit": limit.bytes, "used": limit.used},
    )


def lowest_limit(system: System) -> Limit | None:
    """Of the groups from this process's own up to the root, the one with the least; None: no limit."""
    limits: list[Limit] = []
    for line in (system.text("/proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        kind, _, group = rest.partition(":")
        if number == "0" and not kind:
            limits += _limits(
                system, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"), group, "memory.max", "memory.current"
            )
        elif "memory" in kind.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            limits += _limits(system, ("/sys/fs/cgroup/memory",), group, *files)
    return min(limits, key=lambda limit: limit.bytes, default=None)


def _limits(system: System, roots: tuple[str, ...], group: str, limit: str, used: str) -> Iterator[Limit]:
    parts = [part for part in group.split("/") if part]
    for root in roots:
        for depth in range(len(parts), -1, -1):  # in a container the path may be the host's: the root is ours
            folder = "/".join((root, *parts[:depth]))
            number = system.number(f"{folder}/{limit}")
            if number is not None and number < _NO_LIMIT:
                yield Limit(folder, number, system.number(f"{folder}/{used}"))
