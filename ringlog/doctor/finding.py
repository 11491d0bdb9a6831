"""What a check has found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from ringlog.events import ReaderInfo, WriterInfo

Severity = Literal["problem", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing about a ring, a folder of them, or this machine.

    check: its name, which never changes. severity: a "problem" holds somebody up, or will, until a person
    does something; a "note" is worth knowing and mends itself. text: what is so. advice: what to do; "" where
    nothing has to be done. evidence: what tells, for programs (JSON types).
    """

    path: str
    check: str
    severity: Severity
    text: str
    advice: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def evidence_of(one: WriterInfo | ReaderInfo | None) -> dict[str, Any]:
    """What is known of a writer or reader."""
    return {} if one is None else dataclasses.asdict(one)
