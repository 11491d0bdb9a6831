"""What the tables are asked for, and what more than one of them uses."""

from __future__ import annotations

from dataclasses import dataclass

from bench.scaling.plan import Plan

Rows = tuple[list[str], list[list[str]]]
LINGER = 5e-3  # seconds


@dataclass(frozen=True)
class Asked:
    """What a person may ask otherwise: see `python -m bench scaling --help`."""

    machines: tuple[int, ...] = (1, 10, 100, 1000, 5000)
    readers: int = 8
    size: int = 64
    rate: float = 100_000.0
    link: float = 10e9
    copies: int = 3
    messages: int = 4000  # that each simulation carries

    def plan(self, machines: int = 10) -> Plan:
        return Plan(machines, self.readers, self.size, self.link, self.copies)
